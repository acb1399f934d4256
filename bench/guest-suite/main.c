// The in-guest suite: one static 32-bit program, for a shell, for process 1 of a guest, and for the host.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

static const struct row* const kFiles[] = {integer_rows, bytecode_rows, x87_rows,   sse_rows,  memory_rows,
                                           syscall_rows, process_rows,  fault_rows, code_rows, serial_rows};
enum { kFileCount = sizeof kFiles / sizeof kFiles[0] };

static int is_listed(const char* list, const char* name) {
  const size_t length = strlen(name);
  for (const char* at = list; at; at = strchr(at, ',')) {
    if (*at == ',') ++at;
    if (!strncmp(at, name, length) && (at[length] == ',' || at[length] == '\0')) return 1;
  }
  return 0;
}

int run_rows(const char* list, int own_guest, unsigned milliseconds) {
  const int all = is_listed(list, "all");
  int failed = 0;
  for (int file = 0; file < kFileCount; ++file) {
    const int take_all = all && (own_guest || kFiles[file] != serial_rows);
    for (const struct row* row = kFiles[file]; row->name; ++row)
      if (take_all || is_listed(list, row->name) || is_listed(list, row->group))
        failed += measure(row, milliseconds);
  }
  return failed;
}

void list_rows(void) {
  for (int file = 0; file < kFileCount; ++file)
    for (const struct row* row = kFiles[file]; row->name; ++row) printf("%s %s\n", row->name, row->group);
}

// On one CPU, as the guest has: two processes that talk would otherwise pay for waking the other core.
static void stay_on_one_cpu(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu() < 0 ? 0 : sched_getcpu(), &set);
  sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char** argv) {
  if (argc == 2 && !strcmp(argv[1], "nothing")) return 0;  // what the exec row starts
  if (getpid() == 1) run_as_init();
  unsigned milliseconds = 150;
  int first = 1;
  if (argc > 2 && !strcmp(argv[1], "-t")) {
    milliseconds = (unsigned)strtoul(argv[2], NULL, 0);
    first = 3;
  }
  if (first >= argc || milliseconds == 0) {
    fprintf(stderr, "usage: suite [-t MILLISECONDS] list | all | ROW-OR-GROUP...\n");
    return 2;
  }
  if (!strcmp(argv[first], "list")) return list_rows(), 0;
  stay_on_one_cpu();
  int failed = 0;
  for (int i = first; i < argc; ++i) failed += run_rows(argv[i], 0, milliseconds);
  return failed ? 1 : 0;
}
