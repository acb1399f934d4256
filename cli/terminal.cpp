// Terminal modes.
#include "cli/terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "cli/exit_status.h"

namespace ringshift {

namespace {
// Process-wide, like the terminal: atexit and signal handlers have no other way to it.
termios saved_mode;
std::atomic<bool> is_raw{false};

void on_crash(int signal) {
  restore_terminal();
  constexpr std::array kText = {"ringshift: internal failure: signal ", "\n"};
  const std::array digits = {static_cast<char>('0' + signal / 10), static_cast<char>('0' + signal % 10)};
  [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, kText[0], std::strlen(kText[0]));
  ignored = ::write(STDERR_FILENO, digits.data(), digits.size());
  ignored = ::write(STDERR_FILENO, kText[1], 1);
  ::_exit(kExitInternal);
}
}  // namespace

void enter_raw_terminal() {
  termios mode;
  if (is_raw || ::tcgetattr(STDIN_FILENO, &mode) != 0) return;
  saved_mode = mode;
  mode.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  mode.c_oflag |= OPOST;
  mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
  mode.c_cflag = (mode.c_cflag & ~static_cast<tcflag_t>(CSIZE | PARENB)) | CS8;
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  is_raw = true;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &mode);
  static const bool registered = std::atexit(restore_terminal) == 0;
  static_cast<void>(registered);
}

void restore_terminal() {
  if (is_raw.exchange(false)) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
}

void restore_terminal_on_crash() {
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS})
    ::sigaction(signal, &action, nullptr);
}

}  // namespace ringshift
