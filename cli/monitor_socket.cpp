// The monitor's socket: its thread, clients and lines.
#include "cli/monitor_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace ringshift {

namespace {
constexpr const char* kPrompt = "(ringshift) ";

// Whether the path is a socket's that nobody listens at.
bool is_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}
}  // namespace

Result<std::unique_ptr<MonitorSocket>> MonitorSocket::create(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::usage, "-monitor: a socket's path has 1 to {} bytes", sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (is_stale(path, address)) ::unlink(path.c_str());
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(mask);
  if (bound != 0)
    return fail(ErrorKind::usage, "-monitor: cannot make the socket {}: {}", path, std::strerror(error));
  if (::listen(listener.get(), kMostClients) != 0)
    return fail(ErrorKind::internal, "-monitor: cannot listen at {}: {}", path, std::strerror(errno));
  return std::unique_ptr<MonitorSocket>(new MonitorSocket(std::move(listener), path));
}

MonitorSocket::MonitorSocket(UniqueFd listener, std::string path)
    : listener_(std::move(listener)),
      path_(std::move(path)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  RS_CHECK(wake_);
}

MonitorSocket::~MonitorSocket() { finish(); }

void MonitorSocket::start(Execute execute) {
  execute_ = std::move(execute);
  thread_ = std::thread([this] { loop(); });
}

void MonitorSocket::finish() {
  if (!listener_) return;
  finishing_ = true;
  ::eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
  listener_ = UniqueFd();
  ::unlink(path_.c_str());
}

void MonitorSocket::loop() {
  std::vector<pollfd> fds;
  while (!finishing_) {
    fds.assign(
        {{wake_.get(), POLLIN, 0}, {clients_.size() < kMostClients ? listener_.get() : -1, POLLIN, 0}});
    for (const Client& client : clients_) {
      const bool reads = !client.busy && !client.ended && client.out.empty();
      fds.push_back({client.fd.get(),
                     static_cast<short>((reads ? POLLIN : 0) | (client.out.empty() ? 0 : POLLOUT)), 0});
    }
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[0].revents != 0) {
      eventfd_t ignored;
      ::eventfd_read(wake_.get(), &ignored);
    }
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      Client& client = clients_[i];
      const short events = fds[i + 2].revents;
      if ((events & (POLLHUP | POLLERR | POLLNVAL)) != 0)
        read_last(client);
      else if ((events & POLLIN) != 0)
        read_some(client);
      if (client.fd && (events & POLLOUT) != 0) write_some(client);
    }
    if (fds[1].revents != 0) accept_client();
    take_replies();
    for (Client& client : clients_) execute_next(client);
    std::erase_if(clients_, [](const Client& client) {
      return (!client.fd || client.ended) && !client.busy && client.out.empty();
    });
  }
  take_replies();
  for (Client& client : clients_)
    if (client.fd) write_some(client);
  clients_.clear();
}

void MonitorSocket::accept_client() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  clients_.push_back(
      {next_id_++, std::move(fd), {}, "Ringshift monitor; 'help' lists commands\n", false, false, false});
  clients_.back().out += kPrompt;
}

void MonitorSocket::take_replies() {
  std::vector<std::pair<u64, std::string>> replies;
  {
    const std::lock_guard lock(mutex_);
    replies.swap(replies_);
  }
  for (auto& [id, text] : replies) {
    const auto client =
        std::find_if(clients_.begin(), clients_.end(), [of = id](const Client& c) { return c.id == of; });
    if (client == clients_.end()) continue;
    if (client->fd) client->out += text + kPrompt;
    client->busy = false;
  }
}

void MonitorSocket::read_some(Client& client) {
  char buffer[kLongestLine];
  const ssize_t got = ::recv(client.fd.get(), buffer, sizeof buffer, 0);
  if (got > 0) {
    client.in.append(buffer, static_cast<std::size_t>(got));
  } else if (got == 0) {
    client.ended = true;
    client.in += '\n';
  } else if (errno != EAGAIN && errno != EINTR) {
    drop(client);
  }
}

// Of a client that is gone: what it sent before is still done. No more of it can come than the socket holds.
void MonitorSocket::read_last(Client& client) {
  char buffer[kLongestLine];
  for (;;) {
    const ssize_t got = ::recv(client.fd.get(), buffer, sizeof buffer, 0);
    if (got > 0)
      client.in.append(buffer, static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR)
      break;
  }
  client.in += '\n';
  drop(client);
}

void MonitorSocket::drop(Client& client) {
  client.fd = UniqueFd();
  client.out.clear();
}

void MonitorSocket::write_some(Client& client) {
  const ssize_t sent = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
  if (sent > 0)
    client.out.erase(0, static_cast<std::size_t>(sent));
  else if (sent < 0 && errno != EAGAIN && errno != EINTR)
    drop(client);
}

// The next whole line, of printable characters; false if there is none yet.
bool MonitorSocket::take_line(Client& client, std::string& line) {
  for (;;) {
    const auto end = client.in.find('\n');
    if (end == std::string::npos && client.in.size() < kLongestLine) return false;
    line = client.in.substr(0, end);
    client.in.erase(0, end == std::string::npos ? end : end + 1);
    const bool rest_of_long = std::exchange(client.discarding, end == std::string::npos);
    if (client.discarding && !rest_of_long && client.fd) client.out += "the line is too long\n";
    if (client.discarding || rest_of_long) {
      line.clear();
      if (client.discarding) continue;
    }
    std::erase_if(line, [](char c) { return c < ' ' || c > '~'; });
    return true;
  }
}

void MonitorSocket::execute_next(Client& client) {
  std::string line;
  while (!client.busy && client.out.empty() && take_line(client, line)) {
    if (line.empty()) {
      if (client.fd && !client.ended) client.out += kPrompt;
      continue;
    }
    client.busy = true;
    execute_(line, [this, id = client.id](std::string text) {
      const std::lock_guard lock(mutex_);
      replies_.emplace_back(id, std::move(text));
      ::eventfd_write(wake_.get(), 1);
    });
  }
}

}  // namespace ringshift
