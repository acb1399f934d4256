// System-call rows: into the kernel by each door, and the time of day without it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "suite.h"

// Through the vDSO's __kernel_vsyscall: SYSENTER where there is one.
static uint32_t getppid_vsyscall(uint32_t count) {
  const unsigned long door = getauxval(AT_SYSINFO);
  if (!door) give_up("no AT_SYSINFO");
  const int wanted = getppid();
  uint32_t right = 0;
  while (count--) {
    int result;
    __asm__ volatile("call *%1" : "=a"(result) : "r"(door), "0"(SYS_getppid) : "memory");
    right += result == wanted;
  }
  return right;
}

static uint32_t getppid_int80(uint32_t count) {
  const int wanted = getppid();
  uint32_t right = 0;
  while (count--) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "0"(SYS_getppid) : "memory");
    right += result == wanted;
  }
  return right;
}

static uint32_t read_zero(uint32_t count, uint32_t bytes) {
  static uint8_t buffer[4096] __attribute__((aligned(4096)));
  const int fd = open("/dev/zero", O_RDONLY);
  if (fd < 0) give_up("no /dev/zero");
  uint32_t total = 0;
  while (count--) {
    buffer[0] = 1;
    total += (uint32_t)read(fd, buffer, bytes) + buffer[0];
  }
  close(fd);
  return total;
}

static uint32_t read_zero_1(uint32_t count) { return read_zero(count, 1); }
static uint32_t read_zero_4k(uint32_t count) { return read_zero(count, 4096); }

static uint32_t time_of_day(uint32_t count) {
  struct timeval last = {0, 0};
  uint32_t backwards = 0;
  while (count--) {
    struct timeval now;
    gettimeofday(&now, NULL);
    backwards += now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_usec < last.tv_usec);
    last = now;
  }
  return backwards;
}

const struct row syscall_rows[] = {{"getppid-vsyscall", "syscall", getppid_vsyscall, 1, 100},
                                   {"getppid-int80", "syscall", getppid_int80, 1, 100},
                                   {"read-zero-1", "syscall", read_zero_1, 1, 100},
                                   {"read-zero-4k", "syscall", read_zero_4k, 1, 100},
                                   {"gettimeofday", "syscall", time_of_day, 1, 100},
                                   {0}};
