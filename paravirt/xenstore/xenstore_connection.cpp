// The connection: messages in pieces, replies in turn, events between them.
#include "paravirt/xenstore/xenstore_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace ringshift::xen {

using xen32::xsd_sockmsg;

XenstoreConnection::XenstoreConnection(DomainMemory& memory, Mfn page, EventChannels& channels,
                                       u32 guest_port, Store& store, u16 domain)
    : ring_(memory, page),
      channels_(channels),
      store_(store),
      domain_(domain),
      home_("/local/domain/" + std::to_string(domain)) {
  const std::optional<u32> port = channels.connect(guest_port, *this);
  RS_CHECK(port);
  port_ = *port;
}

XenstoreConnection::~XenstoreConnection() {
  store_.unwatch_all(*this);
  store_.end_all(domain_);
  channels_.disconnect(port_);
}

void XenstoreConnection::fail(u32 error) {
  dead_ = true;
  ring_.set_error(error);
  store_.unwatch_all(*this);
  store_.end_all(domain_);
  output_.clear();
  sent_ = 0;
}

void XenstoreConnection::on_event() {
  bool moved = false;
  while (!dead_) {
    moved |= flush();
    if (dead_ || queued() > kQueueToServe || !take_input()) break;
    moved = true;
  }
  if (moved || dead_) channels_.notify(port_);
}

bool XenstoreConnection::flush() {
  if (queued() == 0) return false;
  const auto written = ring_.write({reinterpret_cast<const u8*>(output_.data()) + sent_, queued()});
  if (!written) fail(XENSTORE_ERROR_RINGIDX);
  if (!written || *written == 0) return false;
  sent_ += *written;
  // Moved up now and then only, or a long queue would be moved for every ring full of it.
  if (queued() == 0 || sent_ > kQueueToServe) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  return true;
}

bool XenstoreConnection::take_input() {
  xsd_sockmsg header{};
  std::size_t wanted = sizeof header;
  if (input_.size() >= sizeof header) {
    std::memcpy(&header, input_.data(), sizeof header);
    wanted += header.len;
  }
  const std::size_t have = input_.size();
  input_.resize(wanted);
  const auto count = ring_.read(std::span(input_).subspan(have));
  if (!count) {
    fail(XENSTORE_ERROR_RINGIDX);
    return false;
  }
  input_.resize(have + *count);
  if (input_.size() < sizeof header) return *count != 0;
  std::memcpy(&header, input_.data(), sizeof header);
  if (header.len > XENSTORE_PAYLOAD_MAX) {
    fail(XENSTORE_ERROR_PROTO);
    return false;
  }
  if (input_.size() < sizeof header + header.len) return *count != 0;
  handle();
  input_.clear();
  return true;
}

void XenstoreConnection::handle() {
  xsd_sockmsg header;
  std::memcpy(&header, input_.data(), sizeof header);
  const std::string payload(input_.begin() + sizeof header, input_.end());
  serving_ = true;
  const Reply reply = answer(header, payload);
  serving_ = false;
  if (reply.error == 0) {
    send(header.type, header.req_id, header.tx_id, reply.payload);
  } else {
    const auto* const named = std::find_if(std::begin(xen32::xsd_errors), std::end(xen32::xsd_errors),
                                           [&](const auto& entry) { return entry.errnum == reply.error; });
    const char* const name = named == std::end(xen32::xsd_errors) ? "EINVAL" : named->errstring;
    send(xen32::XS_ERROR, header.req_id, header.tx_id, std::string_view(name, std::strlen(name) + 1));
  }
  output_ += events_;
  events_.clear();
}

void XenstoreConnection::send(u32 type, u32 request, u32 transaction, std::string_view payload) {
  const xsd_sockmsg header{type, request, transaction, static_cast<u32>(payload.size())};
  std::string& queue = type == xen32::XS_WATCH_EVENT && serving_ ? events_ : output_;
  queue.append(reinterpret_cast<const char*>(&header), sizeof header);
  queue += payload;
}

void XenstoreConnection::send_event(std::string_view path, std::string_view token) {
  if (queued() + events_.size() > kQueueLimit) return;
  std::string payload(path);
  payload += '\0';
  payload += token;
  payload += '\0';
  send(xen32::XS_WATCH_EVENT, 0, 0, payload);
}

void XenstoreConnection::on_store_change(const std::string& watched, const std::string& token,
                                         const std::string& changed) {
  if (dead_) return;
  std::string_view path = changed;
  if (relative_.contains({watched, token})) path.remove_prefix(home_.size() + 1);
  send_event(path, token);
  // A back end's doing outside of a request goes out at once.
  if (!serving_ && flush()) channels_.notify(port_);
}

std::string XenstoreConnection::absolute(std::string_view path) const {
  // '@' begins the names of special watches, which aren't nodes.
  return path.starts_with('/') || path.starts_with('@') ? std::string(path) : home_ + "/" + std::string(path);
}

}  // namespace ringshift::xen
