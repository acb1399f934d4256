// The boot tests' /init: a static 32-bit program that puts a booted kernel to work and says what came of it.
//
// SHA-256 sums over memory and files, 1,000 processes, floating point across context switches, and exactly 64
// KiB to the serial port between two markers.
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int failures;

static void check(int good, const char* what) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%s %s (at %ld.%02ld s)\n", good ? "PASS" : "FAIL", what, (long)now.tv_sec, now.tv_nsec / 10000000);
  if (!good) ++failures;
}

// FIPS 180-4.
struct sha256 {
  uint32_t h[8];
  uint8_t block[64];
  uint64_t bytes;
};
static uint32_t k[64];

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

// The constants are the fractions of cube and square roots of the first primes: computed, so that the x87 is
// tested along with the rest.
static void sha_start(struct sha256* s) {
  memset(s, 0, sizeof *s);
  for (int n = 2, i = 0; i < 64; ++n) {
    int prime = 1;
    for (int d = 2; d * d <= n; ++d)
      if (n % d == 0) prime = 0;
    if (!prime) continue;
    const long double cube = cbrtl(n), square = sqrtl(n);
    k[i] = (uint32_t)((cube - floorl(cube)) * 4294967296.0L);
    if (i < 8) s->h[i] = (uint32_t)((square - floorl(square)) * 4294967296.0L);
    ++i;
  }
}

static void sha_block(struct sha256* s, const uint8_t* p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; ++i)
    w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; ++i) {
    const uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    const uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(v, s->h, sizeof v);
  for (int i = 0; i < 64; ++i) {
    const uint32_t e = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
    const uint32_t t1 = v[7] + e + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
    const uint32_t a = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
    const uint32_t t2 = a + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    for (int j = 7; j > 0; --j) v[j] = v[j - 1];
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; ++i) s->h[i] += v[i];
}

static void sha_add(struct sha256* s, const void* data, size_t size) {
  const uint8_t* p = data;
  while (size > 0) {
    const size_t at = s->bytes % 64, n = size < 64 - at ? size : 64 - at;
    memcpy(s->block + at, p, n);
    s->bytes += n;
    p += n;
    size -= n;
    if (s->bytes % 64 == 0) sha_block(s, s->block);
  }
}

static void sha_end(struct sha256* s, char text[65]) {
  const uint64_t bits = s->bytes * 8;
  const uint8_t one = 0x80, zero = 0;
  sha_add(s, &one, 1);
  while (s->bytes % 64 != 56) sha_add(s, &zero, 1);
  for (int i = 7; i >= 0; --i) {
    const uint8_t byte = (uint8_t)(bits >> (8 * i));
    sha_add(s, &byte, 1);
  }
  for (int i = 0; i < 8; ++i) sprintf(text + 8 * i, "%08x", s->h[i]);
}

static void sum(const void* data, size_t size, char text[65]) {
  struct sha256 s;
  sha_start(&s);
  sha_add(&s, data, size);
  sha_end(&s, text);
}

static void fill(uint8_t* p, size_t size) {
  uint32_t x = 1;
  for (size_t i = 0; i < size; ++i) {
    x = x * 1664525 + 1013904223;
    p[i] = (uint8_t)(x >> 24);
  }
}

static void test_sums(void) {
  char text[65];
  sum("abc", 3, text);
  check(!strcmp(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "SHA-256 of abc");
  // Slow engines do less: "small=1" on the kernel's command line becomes our environment.
  const int small = getenv("small") != NULL;
  const int size = small ? 256 << 10 : 4 << 20;
  uint8_t* data = malloc(size);
  fill(data, size);
  sum(data, size, text);
  printf("sum %s\n", text);
  const char* wanted = small ? "63f2b519d34af59c7d76f7be9b75687a415316f787f5930286084e2a35e9b164"
                             : "33c3342bacc8ffa626e4f30007ebc2fb92320a363dcd8551e634d648fe6b4926";
  check(!strcmp(text, wanted), "SHA-256 of memory");

  // Through the page cache: written, mapped, read.
  const int fd = open("/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  check(fd >= 0 && write(fd, data, size) == size, "write a file");
  void* map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  char again[65] = "";
  if (map != MAP_FAILED) sum(map, size, again);
  check(!strcmp(text, again), "SHA-256 of the mapped file");
  memset(data, 0, size);
  lseek(fd, 0, SEEK_SET);
  check(read(fd, data, size) == size, "read it");
  sum(data, size, again);
  check(!strcmp(text, again), "SHA-256 of what was read");
  close(fd);
  unlink("/file");
  free(data);
}

static void test_overlapping_copies(void) {
  char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  memmove(text + 3, text, 30);
  check(!strcmp(text, "0120123456789abcdefghijklmnopqrstxyz"), "memmove upwards");
  memmove(text, text + 5, 30);
  check(!strcmp(text, "23456789abcdefghijklmnopqrstxyrstxyz"), "memmove downwards");
}

static void test_processes(void) {
  int good = 0;
  volatile int mine = 0;  // copy on write
  const int count = getenv("small") != NULL ? 100 : 1000;
  for (int i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      mine = i;
      _exit((mine * 7) & 0x7f);
    }
    int status;
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == ((i * 7) & 0x7f) && mine == 0)
      ++good;
  }
  printf("%d of %d\n", good, count);
  check(good == count, "processes");
}

// Several at once compute with the x87 and SSE; what they get must not depend on who else does.
static void test_floating_point(void) {
  pid_t children[4];
  const int rounds = getenv("small") != NULL ? 20000 : 200000;
  for (int c = 0; c < 4; ++c) {
    children[c] = fork();
    if (children[c] != 0) continue;
    volatile double a = 0, b = 0;
    for (int round = 0; round < 2; ++round) {
      double x = c + 1.5;
      for (int i = 0; i < rounds; ++i) x = sqrt(x * 1.0001 + c) + 1.0 / (x + 1);
      *(round == 0 ? &a : &b) = x;
    }
    _exit(a == b ? 0 : 1);
  }
  int good = 0, status;
  for (int c = 0; c < 4; ++c)
    if (waitpid(children[c], &status, 0) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) ++good;
  check(good == 4, "floating point in four processes");
}

static volatile sig_atomic_t alarms, faults;
static void on_alarm(int s) {
  (void)s;
  ++alarms;
}
static uint8_t* volatile protected_page;
static void on_fault(int s) {
  (void)s;
  ++faults;
  mprotect(protected_page, 4096, PROT_READ | PROT_WRITE);
}

static void test_signals(void) {
  signal(SIGALRM, on_alarm);
  const struct itimerval every = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &every, NULL);
  const time_t end = time(NULL) + 30;
  while (alarms < 10 && time(NULL) < end) {
  }
  setitimer(ITIMER_REAL, &never, NULL);
  check(alarms >= 10, "timer signals");
  signal(SIGSEGV, on_fault);
  protected_page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *(volatile uint8_t*)protected_page = 5;
  check(faults == 1 && protected_page[0] == 5, "a SIGSEGV handler that mends the page");
  struct timespec before, after, nap = {0, 200000000};
  clock_gettime(CLOCK_MONOTONIC, &before);
  nanosleep(&nap, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  const double slept = (after.tv_sec - before.tv_sec) + (after.tv_nsec - before.tv_nsec) * 1e-9;
  check(slept >= 0.199 && slept < 5, "sleep takes its time");
}

static void test_patched_code(void) {
  uint8_t* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int good = code != MAP_FAILED;
  for (uint32_t i = 0; good && i < 10000; ++i) {
    code[0] = 0xb8;
    memcpy(code + 1, &i, 4);
    code[5] = 0xc3;
    good = ((uint32_t(*)(void))code)() == i;
  }
  check(good, "patched code, 10,000 times");
}

// 1,024 lines of 64 bytes, the line's number in each: what is lost or doubled shows.
static void write_serial(void) {
  fflush(stdout);
  klogctl(6, NULL, 0);  // kernel messages off the console
  const int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
  struct termios raw;
  if (fd < 0 || tcgetattr(fd, &raw) != 0) {
    check(0, "open the serial port");
    return;
  }
  tcdrain(1);
  cfmakeraw(&raw);
  tcsetattr(fd, TCSADRAIN, &raw);
  char line[80];
  int good = write(fd, "<<<", 3) == 3;
  for (int i = 0; i < 1024; ++i) {
    const int n = snprintf(line, sizeof line, "%04d %.58s\n", i,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    for (int done = 0; done < n;) {
      const ssize_t wrote = write(fd, line + done, (size_t)(n - done));
      if (wrote <= 0) {
        good = 0;
        break;
      }
      done += (int)wrote;
    }
  }
  if (write(fd, ">>>", 3) != 3) good = 0;
  tcdrain(fd);
  raw.c_oflag |= OPOST | ONLCR;
  tcsetattr(fd, TCSADRAIN, &raw);
  check(good, "64 KiB to the serial port");
}

static void run_tests(void) {
  test_sums();
  test_overlapping_copies();
  test_processes();
  test_floating_point();
  test_signals();
  test_patched_code();
  write_serial();
}

int main(void) {
  mkdir("/dev", 0755);
  mkdir("/proc", 0755);
  mount("none", "/dev", "devtmpfs", 0, NULL);
  mount("none", "/proc", "proc", 0, NULL);
  const int console = open("/dev/console", O_RDWR);
  if (console >= 0) {
    dup2(console, 0);
    dup2(console, 1);
    dup2(console, 2);
  }
  printf("init runs\n");
  if (getenv("hello") == NULL) run_tests();
  printf("%s\n", failures == 0 ? "BOOT TEST PASSED" : "BOOT TEST FAILED");
  fflush(stdout);
  tcdrain(1);
  sync();
  reboot(RB_AUTOBOOT);
  for (;;) pause();
}
