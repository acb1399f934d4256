// Process rows: fork, exec, a ping-pong over pipes, threads.
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static uint32_t exit_status(pid_t child) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) give_up("no child");
  return WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 1000;
}

static uint32_t fork_wait(uint32_t count) {
  uint32_t sum = 0;
  while (count--) {
    const pid_t child = fork();
    if (child == 0) _exit(3);
    sum += exit_status(child);
  }
  return sum;
}

static uint32_t fork_exec(uint32_t count) {
  char* const arguments[] = {"suite", "nothing", NULL};
  char* const environment[] = {NULL};
  uint32_t failed = 0;
  while (count--) {
    const pid_t child = fork();
    if (child == 0) {
      execve("/proc/self/exe", arguments, environment);
      _exit(1);
    }
    failed += exit_status(child);
  }
  return failed;
}

static uint32_t ping_pong(uint32_t count) {
  int there[2], back[2];
  if (pipe(there) != 0 || pipe(back) != 0) give_up("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    uint8_t byte;
    close(there[1]);
    while (read(there[0], &byte, 1) == 1) {
      ++byte;
      if (write(back[1], &byte, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  close(there[0]);
  close(back[1]);
  uint8_t byte = 0;
  while (count--)
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) break;
  close(there[1]);
  close(back[0]);
  return byte + 1000 * exit_status(child);
}

static void* thread_main(void* argument) { return (char*)argument + 1; }

static uint32_t thread_join(uint32_t count) {
  char* value = 0;
  while (count--) {
    pthread_t thread;
    void* result = 0;
    if (pthread_create(&thread, NULL, thread_main, value) != 0) give_up("no thread");
    pthread_join(thread, &result);
    value = result;
  }
  return (uint32_t)(uintptr_t)value;
}

const struct row process_rows[] = {{"pipe-ping-pong", "process", ping_pong, 1, 10},
                                   {"fork-wait", "process", fork_wait, 1, 3},
                                   {"fork-exec", "process", fork_exec, 1, 3},
                                   {"thread-join", "process", thread_join, 1, 3},
                                   {0}};
