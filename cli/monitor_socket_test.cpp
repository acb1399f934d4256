// The monitor's socket: commands and replies, and clients that misbehave.
#include "cli/monitor_socket.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "machine/monitor.h"
#include "machine/test_guest.h"

namespace ringshift {
namespace {

using namespace testing;

// A client; texts are complete when their prompt is there.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  // As much as the peer takes without waiting.
  std::size_t send(const std::string& text) {
    const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  // What comes until `text` has come; what there is, if it doesn't come.
  std::string until(const std::string& text) {
    std::string got;
    char byte;
    while (got.find(text) == std::string::npos) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 5000) <= 0 || ::recv(fd_.get(), &byte, 1, 0) != 1) break;
      got += byte;
    }
    return got;
  }
  std::string ask(const std::string& command) {
    send(command + "\n");
    return until(kPrompt);
  }
  static constexpr const char* kPrompt = "(ringshift) ";

 private:
  UniqueFd fd_;
  bool connected_ = false;
};

// A machine with both engines that spins for ever, and its monitor.
class MonitorSocketTest : public ::testing::Test {
 protected:
  void start(const std::vector<u8>& code = {0xff, 0x05, 0, 0, 0x20, 0, 0xeb, 0xf8}) {  // inc [200000h]; jmp
    guest_.emplace(directory_.write("kernel", multiboot_kernel(code)), MachineConfig{},
                   std::vector{EngineKind::bt, EngineKind::interp});
    ASSERT_NE(guest_->machine, nullptr) << guest_->error;
    socket_ = MonitorSocket::create(path_).value();
    socket_->start([this](std::string line, MonitorSocket::Reply reply) {
      machine().post_between_runs([this, line = std::move(line), reply = std::move(reply)] {
        reply(monitor_command(machine(), line));
      });
    });
    runner_ = std::thread([this] { outcome_ = machine().run(); });
  }
  ~MonitorSocketTest() override {
    if (!runner_.joinable()) return;
    machine().request_stop();
    runner_.join();
    socket_->finish();
  }
  Machine& machine() { return *guest_->machine; }
  u32 counter() { return *reinterpret_cast<volatile u32*>(machine().memory().base() + 0x200000); }
  bool counts() {
    const u32 before = counter();
    for (int i = 0; i < 200 && counter() == before; ++i) ::usleep(5000);
    return counter() != before;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.path("monitor");
  std::optional<TestMachine> guest_;
  std::unique_ptr<MonitorSocket> socket_;
  std::thread runner_;
  RunOutcome outcome_{RunOutcome::Kind::failed};
};

TEST_F(MonitorSocketTest, SwitchesEnginesOfARunningGuest) {
  start();
  Client client(path_);
  EXPECT_NE(client.until(Client::kPrompt).find("Ringshift monitor"), std::string::npos);
  EXPECT_EQ(client.ask("info engines").find("* bt"), 0u);
  EXPECT_EQ(client.ask("engine interp"), Client::kPrompt);
  EXPECT_TRUE(counts());
  const std::string engines = client.ask("  info \t engines ");
  EXPECT_NE(engines.find("* interp"), std::string::npos) << engines;
  EXPECT_NE(engines.find("1 switches"), std::string::npos) << engines;
  EXPECT_NE(client.ask("engine kvm").find("bt,interp"), std::string::npos);
  EXPECT_NE(client.ask("engine").find("needs NAME"), std::string::npos);
  EXPECT_NE(client.ask("enginebt").find("unknown command"), std::string::npos);
  EXPECT_NE(client.ask("info registers").find("EIP="), std::string::npos);
  EXPECT_NE(client.ask("info stats").find("hand-over"), std::string::npos);
  EXPECT_NE(client.ask("help").find("system_reset"), std::string::npos);
  EXPECT_NE(client.ask("info").find("info registers"), std::string::npos);
  EXPECT_EQ(client.ask("info").find("system_reset"), std::string::npos);
}

TEST_F(MonitorSocketTest, StopAndContinue) {
  start();
  Client client(path_);
  client.until(Client::kPrompt);
  EXPECT_EQ(client.ask("info status"), std::string("VM status: running\n") + Client::kPrompt);
  client.ask("stop");
  EXPECT_EQ(client.ask("info status"), std::string("VM status: paused\n") + Client::kPrompt);
  const u32 stopped = counter();
  ::usleep(20'000);
  EXPECT_EQ(counter(), stopped);
  client.ask("stop");
  client.ask("engine interp");
  client.ask("system_reset");
  EXPECT_EQ(client.ask("info status"), std::string("VM status: paused\n") + Client::kPrompt);
  client.ask("cont");
  EXPECT_TRUE(counts());
  client.ask("c");
  client.ask("stop");
  client.send("quit\n");
  runner_.join();
  EXPECT_EQ(outcome_.kind, RunOutcome::Kind::stopped);
  socket_->finish();
  EXPECT_NE(::access(path_.c_str(), F_OK), 0) << "the socket is removed";
}

TEST_F(MonitorSocketTest, SeveralClients) {
  start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<Client>(path_));
  for (auto& client : clients) client->until(Client::kPrompt);
  for (auto& client : clients) EXPECT_NE(client->ask("info status").find("running"), std::string::npos);
  // A ninth waits until there is room.
  Client ninth(path_);
  ninth.send("info status\n");
  clients.erase(clients.begin());
  EXPECT_NE(ninth.until("running").find("running"), std::string::npos);
}

TEST_F(MonitorSocketTest, CommandsOfAClientThatLeavesAtOnceAreDone) {
  start();
  Client bystander(path_);
  bystander.until(Client::kPrompt);
  for (const auto& [commands, status] :
       {std::pair("stop\n", "paused"), {"info status\ninfo engines\ncont\n", "running"}}) {
    {
      Client gone(path_);
      gone.send(commands);
    }
    std::string answer;
    for (int i = 0; i < 200 && answer.find(status) == std::string::npos; ++i) {
      answer = bystander.ask("info status");
      ::usleep(5000);
    }
    EXPECT_NE(answer.find(status), std::string::npos) << commands;
  }
}

TEST_F(MonitorSocketTest, HostileClients) {
  start();
  Client bystander(path_);
  bystander.until(Client::kPrompt);
  {
    Client endless(path_);  // never a newline
    for (int i = 0; i < 200; ++i) endless.send(std::string(10'000, 'a'));
    EXPECT_NE(endless.until("too long").find("too long"), std::string::npos);
    endless.send("\ninfo status\n");
  }
  Client deaf(path_);  // commands without end, and never reads
  std::size_t taken = 0;
  for (int i = 0; i < 300; ++i) {
    const std::size_t sent = deaf.send("info registers\ninfo registers\ninfo registers\n");
    taken += sent;
    if (sent == 0) ::usleep(2000);
  }
  EXPECT_LT(taken, std::size_t{1} << 20);
  Client binary(path_);
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  binary.send(bytes + bytes + "\n\0\n\x1b[2J\n");
  EXPECT_NE(binary.until("unknown command").find("unknown command"), std::string::npos);
  for (int i = 0; i < 50; ++i) {
    Client gone(path_);  // leaves while its command is executed
    gone.send("info stats\n");
  }
  Client half(path_);  // sends, ends, and wants its reply: as `echo info status | socat`
  half.send("info status");
  half.end_sending();
  EXPECT_NE(half.until("running").find("running"), std::string::npos);
  EXPECT_NE(bystander.ask("info status").find("running"), std::string::npos);
  EXPECT_TRUE(counts());
}

TEST_F(MonitorSocketTest, Paths) {
  const auto first = MonitorSocket::create(path_);
  ASSERT_TRUE(first);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto second = MonitorSocket::create(path_);  // somebody listens
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::usage);
  const std::string file = directory_.write("file", {1});
  EXPECT_FALSE(MonitorSocket::create(file));
  EXPECT_EQ(::access(file.c_str(), F_OK), 0) << "not removed";
  EXPECT_FALSE(MonitorSocket::create(directory_.path(std::string(200, 'x'))));
  EXPECT_FALSE(MonitorSocket::create(""));
  // A socket left behind by a program that was killed.
  const std::string stale = directory_.path("stale");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  stale.copy(address.sun_path, sizeof address.sun_path - 1);
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_TRUE(MonitorSocket::create(stale));
}

}  // namespace
}  // namespace ringshift
