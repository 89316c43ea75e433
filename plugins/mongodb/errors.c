/* SPDX-License-Identifier: BSD-2-Clause */
/* errors.c - what an error of the server or of its library means. */
#include "errors.h"

#include <stddef.h>

/* In the order of numbers. What is not listed is a mistake to be mended. */
static const struct {
  uint32_t number;
  dictum_status status;
  bool is_end; /* this server is not the one to ask any more */
} meanings[] = {
    {6, DICTUM_RETRY, true},        /* HostUnreachable */
    {7, DICTUM_RETRY, true},        /* HostNotFound */
    {24, DICTUM_RETRY, false},      /* LockTimeout */
    {43, DICTUM_RETRY, false},      /* CursorNotFound */
    {46, DICTUM_RETRY, false},      /* LockBusy */
    {50, DICTUM_RETRY, false},      /* MaxTimeMSExpired */
    {63, DICTUM_RETRY, false},      /* StaleShardVersion */
    {70, DICTUM_RETRY, false},      /* ShardNotFound */
    {82, DICTUM_RETRY, false},      /* NoProgressMade */
    {89, DICTUM_RETRY, true},       /* NetworkTimeout */
    {91, DICTUM_RETRY, true},       /* ShutdownInProgress */
    {94, DICTUM_RETRY, true},       /* NotYetInitialized */
    {112, DICTUM_RETRY, false},     /* WriteConflict */
    {133, DICTUM_RETRY, true},      /* FailedToSatisfyReadPreference */
    {134, DICTUM_RETRY, false},     /* ReadConcernMajorityNotAvailableYet */
    {136, DICTUM_RETRY, false},     /* CappedPositionLost */
    {146, DICTUM_RETRY, false},     /* ExceededMemoryLimit */
    {150, DICTUM_RETRY, false},     /* StaleEpoch */
    {175, DICTUM_RETRY, false},     /* QueryPlanKilled */
    {189, DICTUM_RETRY, true},      /* PrimarySteppedDown */
    {202, DICTUM_RETRY, true},      /* NetworkInterfaceExceededTimeLimit */
    {237, DICTUM_RETRY, false},     /* CursorKilled */
    {239, DICTUM_RETRY, false},     /* SnapshotTooOld */
    {246, DICTUM_RETRY, false},     /* SnapshotUnavailable */
    {262, DICTUM_RETRY, false},     /* ExceededTimeLimit */
    {279, DICTUM_RETRY, true},      /* ClientDisconnect */
    {290, DICTUM_RETRY, false},     /* TransactionExceededLifetimeLimitSeconds */
    {292, DICTUM_RETRY, false},     /* QueryExceededMemoryLimitNoDiskUseAllowed */
    {384, DICTUM_RETRY, true},      /* ConnectionPoolExpired */
    {9001, DICTUM_RETRY, true},     /* SocketException */
    {10058, DICTUM_RETRY, true},    /* LegacyNotPrimary */
    {10107, DICTUM_RETRY, true},    /* NotWritablePrimary */
    {11600, DICTUM_RETRY, true},    /* InterruptedAtShutdown */
    {11601, DICTUM_RETRY, false},   /* Interrupted */
    {11602, DICTUM_RETRY, true},    /* InterruptedDueToReplStateChange */
    {13388, DICTUM_RETRY, false},   /* StaleConfig */
    {13435, DICTUM_RETRY, true},    /* NotPrimaryNoSecondaryOk */
    {13436, DICTUM_RETRY, true},    /* NotPrimaryOrSecondary */
    {51091, DICTUM_INVALID, false}, /* a regular expression that is too long */
};

enum { nmeanings = sizeof meanings / sizeof *meanings };

/* @return nmeanings when it is not listed */
static size_t find(uint32_t number) {
  size_t i = 0;
  while (i < nmeanings && meanings[i].number != number)
    i++;
  return i;
}

/* What the library says by itself. Protocol and BSON: of an answer that cannot be read. */
static dictum_status status_of_library(const bson_error_t *error) {
  switch (error->domain) {
  case MONGOC_ERROR_CLIENT:
    return error->code == MONGOC_ERROR_CLIENT_TOO_BIG        ? DICTUM_INVALID
           : error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? DICTUM_CONFIG
                                                             : DICTUM_RETRY;
  case MONGOC_ERROR_SCRAM:
  case MONGOC_ERROR_COMMAND:
  case MONGOC_ERROR_NAMESPACE:
    return DICTUM_CONFIG;
  default:
    return DICTUM_RETRY;
  }
}

dictum_status mongo_error_status(const bson_error_t *error) {
  if (error->domain != MONGOC_ERROR_SERVER)
    return status_of_library(error);
  size_t i = find(error->code);
  return i < nmeanings ? meanings[i].status : DICTUM_CONFIG;
}

bool mongo_error_leaves_link(const bson_error_t *error) {
  if (error->domain != MONGOC_ERROR_SERVER)
    return false;
  size_t i = find(error->code);
  return i == nmeanings || !meanings[i].is_end;
}
