/* SPDX-License-Identifier: BSD-2-Clause */
/* resolve.c - the addresses of a name, before a deadline. */
#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"

/* Threads that wait for a name server which does not answer. They end by its time-outs. */
enum { most_threads = 16 };
static atomic_uint threads;

/* Belongs to the thread and to who waits for it; the last one frees it. */
struct request {
  atomic_uint owners;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool done;
  int error; /* of getaddrinfo() */
  struct addresses found;
  char name[];
};

static void release(struct request *request) {
  if (atomic_fetch_sub(&request->owners, 1) > 1)
    return;
  pthread_cond_destroy(&request->cond);
  pthread_mutex_destroy(&request->mutex);
  free(request);
}

static int find(const char *name, int flags, struct addresses *out) {
  const struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM};
  struct addrinfo *list;
  out->n = 0;
  int error = getaddrinfo(name, NULL, &hints, &list);
  if (error)
    return error;
  for (const struct addrinfo *info = list; info && out->n < most_addresses; info = info->ai_next)
    if (getnameinfo(info->ai_addr, info->ai_addrlen, out->text[out->n], address_size, NULL, 0,
                    NI_NUMERICHOST) == 0)
      out->n++;
  freeaddrinfo(list);
  return out->n > 0 ? 0 : EAI_NONAME;
}

static void *thread_main(void *rock) {
  struct request *request = rock;
  struct addresses found;
  int error = find(request->name, 0, &found);
  pthread_mutex_lock(&request->mutex);
  request->error = error;
  request->found = found;
  request->done = true;
  pthread_cond_signal(&request->cond);
  pthread_mutex_unlock(&request->mutex);
  release(request);
  atomic_fetch_sub(&threads, 1);
  return NULL;
}

/* The host's signals are not for this thread, and its own mask stays as it is. */
static int start_thread(struct request *request) {
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t all;
  int error = pthread_attr_init(&attr);
  if (error)
    return error;
  sigfillset(&all);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  error = pthread_attr_setsigmask_np(&attr, &all);
  if (!error)
    error = pthread_create(&thread, &attr, thread_main, request);
  pthread_attr_destroy(&attr);
  return error;
}

static struct request *new_request(const char *name) {
  struct request *request = calloc(1, sizeof *request + strlen(name) + 1);
  if (!request)
    return NULL;
  strcpy(request->name, name);
  atomic_init(&request->owners, 2);
  if (pthread_mutex_init(&request->mutex, NULL) != 0) {
    free(request);
    return NULL;
  }
  if (clock_cond_init(&request->cond) != 0) {
    pthread_mutex_destroy(&request->mutex);
    free(request);
    return NULL;
  }
  return request;
}

static dictum_status wait_for(const dictum_host *host, struct request *request, int64_t deadline,
                              struct addresses *out, dictum_error *err) {
  int timed_out = 0;
  pthread_mutex_lock(&request->mutex);
  while (!request->done && !timed_out)
    timed_out = clock_cond_wait(&request->cond, &request->mutex, deadline);
  bool done = request->done;
  int error = request->error;
  *out = request->found;
  pthread_mutex_unlock(&request->mutex);
  dictum_status status = DICTUM_OK;
  if (!done)
    status = host->fail(err, DICTUM_RETRY, ETIMEDOUT, "looking up the host name timed out");
  else if (error)
    status = host->fail(err, DICTUM_RETRY, 0, "looking up the host name: %s", gai_strerror(error));
  return status;
}

dictum_status resolve(const dictum_host *host, const char *name, int64_t deadline,
                      struct addresses *out, dictum_error *err) {
  if (find(name, AI_NUMERICHOST, out) == 0)
    return DICTUM_OK;
  if (atomic_fetch_add(&threads, 1) >= most_threads) {
    atomic_fetch_sub(&threads, 1);
    return host->fail(err, DICTUM_RETRY, 0, "too many host names are being looked up");
  }
  struct request *request = new_request(name);
  int error = request ? start_thread(request) : ENOMEM;
  if (error) {
    atomic_fetch_sub(&threads, 1);
    if (request) {
      release(request);
      release(request);
    }
    return host->fail(err, error == ENOMEM ? DICTUM_NOMEM : DICTUM_RETRY, error,
                      "no thread to look up the host name");
  }
  dictum_status status = wait_for(host, request, deadline, out, err);
  release(request);
  return status;
}
