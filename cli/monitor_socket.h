// MonitorSocket: -monitor unix:PATH: the monitor's commands by a Unix socket, a line each, for several
// clients.
//
// A client may send what it likes, as slowly as it likes, and may vanish at any time: nothing here grows with
// that, and the virtual CPU's thread never waits for a client. Only its owner may connect (mode 0600).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace ringshift {

class MonitorSocket {
 public:
  using Reply = std::function<void(std::string)>;
  // On the socket's thread: does what the line says, and calls `reply` once, from any thread.
  using Execute = std::function<void(std::string line, Reply reply)>;

  // Listens at the path. A socket that nobody listens at any more is replaced; else a usage error.
  static Result<std::unique_ptr<MonitorSocket>> create(const std::string& path);
  MonitorSocket(const MonitorSocket&) = delete;
  ~MonitorSocket();

  void start(Execute execute);
  // Ends the thread, after a try to write the replies that are there, and removes the socket.
  void finish();

 private:
  static constexpr std::size_t kMostClients = 8;
  static constexpr std::size_t kLongestLine = 256;
  struct Client {
    u64 id;
    UniqueFd fd;  // none: it is gone, and what it sent is still to be done
    std::string in, out;
    bool busy = false;        // a command is executed
    bool discarding = false;  // to the end of a line that is too long
    bool ended = false;       // sends no more
  };
  MonitorSocket(UniqueFd listener, std::string path);
  void loop();
  void accept_client();
  void take_replies();
  void read_some(Client& client);
  void read_last(Client& client);
  void write_some(Client& client);
  void drop(Client& client);
  void execute_next(Client& client);
  bool take_line(Client& client, std::string& line);

  UniqueFd listener_;
  std::string path_;
  UniqueFd wake_;
  Execute execute_;
  std::vector<Client> clients_;
  u64 next_id_ = 0;
  std::atomic<bool> finishing_{false};
  std::mutex mutex_;
  std::vector<std::pair<u64, std::string>> replies_;  // by client; under mutex_
  std::thread thread_;
};

}  // namespace ringshift
