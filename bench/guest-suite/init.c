// Process 1: mounts what the rows need, runs what the kernel's command line asks for, and powers off.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static void mount_at(const char* type, const char* path) {
  mkdir(path, 0755);
  if (mount(type, path, type, 0, NULL) != 0) printf("suite: no %s\n", path);
}

// The value of NAME=VALUE on the command line; null if it isn't there.
static const char* option(char* line, const char* name) {
  char* at = strstr(line, name);
  if (!at) return NULL;
  at += strlen(name);
  return strndup(at, strcspn(at, " \n"));
}

// The rows run in a child: the kernel reports each fault of process 1, handled or not.
static void run_in_child(const char* list, unsigned milliseconds) {
  const pid_t child = fork();
  if (child == 0) {
    const int failed = run_rows(list, 1, milliseconds);
    printf("suite: %d failed\n", failed);
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) printf("suite: a row died of signal %d\n", WTERMSIG(status));
}

_Noreturn void run_as_init(void) {
  puts("suite: init");  // the marker that vs-qemu waits for
  fflush(stdout);
  mount_at("proc", "/proc");
  mount_at("sysfs", "/sys");
  mount_at("devtmpfs", "/dev");
  char line[4096] = "";
  FILE* file = fopen("/proc/cmdline", "r");
  if (file) {
    if (!fgets(line, sizeof line, file)) line[0] = '\0';
    fclose(file);
  }
  const char* list = option(line, "suite.run=");
  const char* milliseconds = option(line, "suite.ms=");
  if (list && !strcmp(list, "wait"))
    for (;;) pause();
  if (list && !strcmp(list, "list"))
    list_rows();
  else if (list)
    run_in_child(list, milliseconds ? (unsigned)atoi(milliseconds) : 150);
  puts("suite: done");
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}
