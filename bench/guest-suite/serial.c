// Serial row: what a KiB costs on its way out of the first UART.
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "suite.h"

static uint32_t serial_out(uint32_t count) {
  char text[1024];
  memset(text, '.', sizeof text);
  const int fd = open("/dev/ttyS0", O_WRONLY | O_NOCTTY);
  if (fd < 0) give_up("no /dev/ttyS0");
  uint32_t written = 0;
  while (count--) {
    for (size_t done = 0; done < sizeof text;) {
      const ssize_t part = write(fd, text + done, sizeof text - done);
      if (part <= 0) break;
      done += (size_t)part, written += (uint32_t)part;
    }
    tcdrain(fd);
  }
  if (write(fd, "\n", 1) != 1) give_up("no serial port");
  close(fd);
  return written;
}

const struct row serial_rows[] = {{"serial-1k", "serial", serial_out, 1, 1}, {0}};
