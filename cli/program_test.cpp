// The program as a user runs it: exit statuses, the terminal on every way out, output that must not be lost.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "machine/test_guest.h"

namespace ringshift {
namespace {

using namespace testing;

// A child process on a pseudo-terminal, or with pipes.
class Program {
 public:
  Program(std::vector<std::string> args, bool on_terminal) {
    args.insert(args.begin(), {RINGSHIFT_PROGRAM, "run", "-engine", "interp"});
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    int output[2] = {-1, -1};
    if (on_terminal) {
      // The slave is kept open, so that the terminal's mode can be looked at after the child's end.
      RS_CHECK(::openpty(&master_, &slave_, nullptr, nullptr, nullptr) == 0);
    } else {
      RS_CHECK(::pipe2(output, O_CLOEXEC) == 0);
      master_ = output[0];
    }
    pid_ = ::fork();
    if (pid_ == 0) {
      if (on_terminal) {
        ::login_tty(slave_);
      } else {
        ::dup2(::open("/dev/null", O_RDONLY), 0);
        ::dup2(output[1], 1);
        ::dup2(output[1], 2);
      }
      ::execv(argv[0], argv.data());
      ::_exit(99);
    }
    if (!on_terminal) ::close(output[1]);
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    if (master_ >= 0) ::close(master_);
    if (slave_ >= 0) ::close(slave_);
  }

  void type(std::string_view text) {
    EXPECT_EQ(::write(master_, text.data(), text.size()), ssize_t(text.size()));
  }
  void signal(int number) { ::kill(pid_, number); }
  // Reads until the output contains `text`.
  bool expect(std::string_view text) {
    while (output_.find(text) == std::string::npos)
      if (!read_some(20'000)) return false;
    return true;
  }
  // Reads the rest and waits; the status as the shell has it (128 + n for a signal).
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) read_some(20);
    pid_ = -1;
    while (read_some(0)) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  const std::string& output() const { return output_; }
  termios mode() const {
    termios mode{};
    EXPECT_EQ(::tcgetattr(slave_, &mode), 0);
    return mode;
  }
  bool raw() const { return (mode().c_lflag & (ICANON | ECHO)) == 0; }

 private:
  bool read_some(int timeout_ms) {
    pollfd ready{master_, POLLIN, 0};
    if (::poll(&ready, 1, timeout_ms) <= 0) return false;
    char buffer[4096];
    const ssize_t got = ::read(master_, buffer, sizeof buffer);
    if (got <= 0) return false;
    output_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  pid_t pid_ = -1;
  int master_ = -1;
  int slave_ = -1;
  std::string output_;
};

class ProgramTest : public ::testing::Test {
 protected:
  std::string kernel(const std::vector<u8>& code) {
    return directory_.write("kernel", multiboot_kernel(code));
  }
  int status_of(std::vector<std::string> args) {
    Program program(std::move(args), false);
    const int status = program.wait();
    output_ = program.output();
    return status;
  }
  TemporaryDirectory directory_;
  std::string output_;
};

// Prints "ready" on COM1, then echoes what it receives, each byte plus one.
std::vector<u8> echo_guest() {
  std::vector<u8> code{0x66, 0xba, 0xf8, 0x03};  // mov dx, 3f8h
  for (const char c : std::string("ready\n")) code.insert(code.end(), {0xb0, static_cast<u8>(c), 0xee});
  // loop: mov dl, fdh; in al, dx; test al, 1; jz loop; mov dl, f8h; in al, dx; inc al; out dx, al; jmp loop
  code.insert(code.end(),
              {0xb2, 0xfd, 0xec, 0xa8, 0x01, 0x74, 0xf9, 0xb2, 0xf8, 0xec, 0xfe, 0xc0, 0xee, 0xeb, 0xf1});
  return code;
}

const std::string kDebugExit = "isa-debug-exit,iobase=0xf4,iosize=4";

TEST_F(ProgramTest, ExitStatuses) {
  const std::string exits = kernel(then_exit(print_code("bye"), 2));
  EXPECT_EQ(status_of({"-kernel", exits, "-device", kDebugExit, "-debugcon", "stdio"}), 5);
  EXPECT_EQ(output_, "bye");
  EXPECT_EQ(status_of({"-bogus"}), 2);
  EXPECT_EQ(status_of({"-kernel", "/nonexistent"}), 4);
  EXPECT_EQ(status_of({"-kernel", kernel({0x0f, 0x0b})}), 8);
  EXPECT_NE(output_.find("triple-faulted"), std::string::npos);
  EXPECT_EQ(status_of({"-kernel", kernel({0xeb, 0xfe}), "-timeout", "0.2"}), 124);
  EXPECT_EQ(status_of({"-kernel", kernel({0xfa, 0xf4, 0xeb, 0xfd}), "-timeout", "0.2"}), 124);
  const auto reset = kernel({0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe});
  EXPECT_EQ(status_of({"-kernel", reset, "-no-reboot"}), 0);
  EXPECT_EQ(status_of({"-kernel", reset, "-timeout", "0.2"}), 124);  // reboots for ever
}

TEST_F(ProgramTest, TerminalIsRawAndRestored) {
  const std::string guest = kernel(echo_guest());
  for (const int number : {0, SIGTERM, SIGINT, SIGHUP}) {
    Program program({"-kernel", guest}, true);
    const termios before = program.mode();
    ASSERT_TRUE(program.expect("ready")) << program.output();
    EXPECT_TRUE(program.raw());
    program.type("abc");
    EXPECT_TRUE(program.expect("bcd")) << program.output();
    if (number == 0)
      program.type("\x01x");
    else
      program.signal(number);
    EXPECT_EQ(program.wait(), number == 0 ? 0 : 128 + number);
    EXPECT_EQ(program.mode().c_lflag, before.c_lflag);
    EXPECT_EQ(program.mode().c_iflag, before.c_iflag);
  }
}

TEST_F(ProgramTest, TerminalIsRestoredAtATripleFaultAndACrash) {
  // Waits for a key, then has no IDT for ud2.
  const std::string guest =
      kernel({0x66, 0xba, 0xf8, 0x03, 0xb0, '!', 0xee, 0xb2, 0xfd, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0x0f, 0x0b});
  for (const bool crash : {false, true}) {
    Program program({"-kernel", guest}, true);
    const termios before = program.mode();
    ASSERT_TRUE(program.expect("!"));
    EXPECT_TRUE(program.raw());
    if (crash)
      program.signal(SIGSEGV);
    else
      program.type("k");
    EXPECT_EQ(program.wait(), crash ? 10 : 8);
    EXPECT_EQ(program.mode().c_lflag, before.c_lflag);
  }
}

TEST_F(ProgramTest, SignalsAtAnyTimeEndItAndRestoreTheTerminal) {
  const std::string guest = kernel(echo_guest());
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    for (const int delay_ms : {0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30}) {
      Program program({"-kernel", guest, "-engine", "bt"}, true);
      const termios before = program.mode();
      std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
      program.signal(number);
      EXPECT_EQ(program.wait(), 128 + number) << delay_ms << " ms";
      EXPECT_EQ(program.mode().c_lflag, before.c_lflag) << delay_ms << " ms";
      EXPECT_EQ(program.mode().c_iflag, before.c_iflag) << delay_ms << " ms";
    }
  }
}

TEST_F(ProgramTest, SuspendAndContinue) {
  Program program({"-kernel", kernel(echo_guest())}, true);
  ASSERT_TRUE(program.expect("ready"));
  program.signal(SIGTSTP);
  for (int i = 0; i < 200 && program.raw(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(program.raw());
  // Again and again: the first may come before it has stopped, when SIGSTOP takes it back.
  for (int i = 0; i < 200 && !program.raw(); ++i) {
    program.signal(SIGCONT);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(program.raw());
  program.type("x");
  EXPECT_TRUE(program.expect("y"));
  program.type("\x01x");
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(ProgramTest, EscapesAndMonitor) {
  Program program({"-kernel", kernel(echo_guest())}, true);
  ASSERT_TRUE(program.expect("ready"));
  program.type("\x01h");
  EXPECT_TRUE(program.expect("Ctrl-A X"));
  program.type(
      "\x01"
      "c");
  EXPECT_TRUE(program.expect("(ringshift) "));
  program.type("info stats\r");
  EXPECT_TRUE(program.expect("instructions retired")) << program.output();
  program.type(
      "\x01"
      "cQ");
  EXPECT_TRUE(program.expect("R"));
  program.type(
      "\x01"
      "a");
  EXPECT_TRUE(program.expect("\x02"));
  program.type(
      "\x01"
      "c");
  program.type("quit\r");
  EXPECT_EQ(program.wait(), 0) << program.output();
}

TEST_F(ProgramTest, NoOutputIsLost) {
  // 20000h times '.' to COM1, then exit.
  std::vector<u8> code{0x66, 0xba, 0xf8, 0x03, 0xb9, 0x00, 0x00, 0x02, 0x00, 0xb0, '.', 0xee, 0xe2, 0xfb};
  const std::string guest = kernel(then_exit(code, 0));
  EXPECT_EQ(status_of({"-kernel", guest, "-device", kDebugExit}), 1);
  EXPECT_EQ(output_, std::string(0x20000, '.'));

  const std::string file = directory_.path("serial");
  EXPECT_EQ(status_of({"-kernel", guest, "-device", kDebugExit, "-serial", "file:" + file}), 1);
  EXPECT_EQ(std::filesystem::file_size(file), 0x20000u);
  EXPECT_EQ(output_, "");
}

TEST_F(ProgramTest, FullDisks) {
  const std::string guest = kernel(then_exit(print_code("text"), 0));
  EXPECT_EQ(status_of({"-kernel", guest, "-device", kDebugExit, "-d", "io", "-D", "/dev/full"}), 1);
  EXPECT_NE(output_.find("writing the trace failed"), std::string::npos) << output_;
  // More than stdio buffers, and a signal's way out.
  const std::string floods = directory_.write("floods", multiboot_kernel({0xe6, 0xe9, 0xeb, 0xfc}));
  EXPECT_EQ(status_of({"-kernel", floods, "-d", "io", "-D", "/dev/full", "-timeout", "0.2"}), 124);
  EXPECT_NE(output_.find("tracing is off"), std::string::npos) << output_;
  EXPECT_EQ(output_.find("its end is lost"), std::string::npos) << "said once";
  EXPECT_EQ(status_of({"-kernel", guest, "-device", kDebugExit, "-debugcon", "/dev/full"}), 1);
  EXPECT_NE(output_.find("/dev/full"), std::string::npos) << output_;
  EXPECT_EQ(
      status_of({"-kernel", guest, "-device", kDebugExit, "-debugcon", "stdio", "-serial", "file:/dev/full"}),
      1);
  EXPECT_EQ(status_of({"-kernel", guest, "-device", kDebugExit, "-stats", "json:/dev/full"}), 1);
  EXPECT_NE(output_.find("-stats: cannot write"), std::string::npos) << output_;
  EXPECT_EQ(status_of({"-kernel", guest, "-device", kDebugExit, "-D", "/nonexistent/log"}), 2);
  EXPECT_EQ(status_of({"-kernel", guest, "-serial", "file:/nonexistent/log"}), 2);
}

TEST_F(ProgramTest, StatsAsJson) {
  const std::string file = directory_.path("stats.json");
  const std::string guest = kernel(then_exit(print_code("text"), 0));
  EXPECT_EQ(status_of({"-kernel", guest, "-device", kDebugExit, "-stats", "json:" + file}), 1);
  std::ifstream stream(file);
  const auto json = nlohmann::json::parse(stream, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_GE(json["machine"]["instructions retired"].get<u64>(), 10u);
  EXPECT_GE(json["time"]["wall_s"].get<double>(), 0.0);
}

}  // namespace
}  // namespace ringshift
