/* SPDX-License-Identifier: BSD-2-Clause */
/* replay.c - runs a fuzz target over the files of the folders given, without libFuzzer. With it,
 * which has a main() of its own (tests/fuzz/run), there is nothing here. */
#ifdef LIBFUZZER
extern int fuzz_replay_is_not_here;
#else
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return -1;
  uint8_t *data = NULL;
  size_t size = 0, n;
  do {
    uint8_t *more = realloc(data, size + 65536);
    if (!more)
      break;
    data = more;
    n = fread(data + size, 1, 65536, file);
    size += n;
  } while (n > 0);
  fclose(file);
  if (data)
    LLVMFuzzerTestOneInput(data, size);
  free(data);
  return 0;
}

static int run_folder(const char *folder) {
  DIR *dir = opendir(folder);
  if (!dir) {
    perror(folder);
    return 1;
  }
  int files = 0;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    char path[4096];
    if (entry->d_name[0] == '.')
      continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    files += run_file(path) == 0;
  }
  closedir(dir);
  printf("%s: %d inputs\n", folder, files);
  /* A corpus that is not there must not pass for one that is fine. */
  return files == 0;
}

int main(int argc, char **argv) {
  int failed = argc < 2;
  for (int i = 1; i < argc; i++)
    failed |= run_folder(argv[i]);
  return failed;
}
#endif
