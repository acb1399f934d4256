// What each request of xen/io/xs_wire.h takes and answers.
#include <cerrno>
#include <charconv>

#include "paravirt/xenstore/store_path.h"
#include "paravirt/xenstore/xenstore_connection.h"

namespace ringshift::xen {

using namespace xen32;

namespace {
// Strings that each end with a NUL; a last one without is left out.
std::vector<std::string_view> split(std::string_view payload) {
  std::vector<std::string_view> strings;
  for (std::size_t end = payload.find('\0'); end != std::string_view::npos; end = payload.find('\0')) {
    strings.push_back(payload.substr(0, end));
    payload.remove_prefix(end + 1);
  }
  return strings;
}

void append(std::string& payload, std::string_view text) {
  payload += text;
  payload += '\0';
}

template <class T>
bool parse(std::string_view text, T& number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && rest == text.data() + text.size();
}

const std::string kOk = "OK" + std::string(1, '\0');
}  // namespace

XenstoreConnection::Reply XenstoreConnection::answer(const xsd_sockmsg& header, std::string_view payload) {
  const Strings strings = split(payload);
  const u32 transaction = header.tx_id;
  switch (header.type) {
    case XS_DIRECTORY:
      return directory(transaction, strings);
    case XS_DIRECTORY_PART:
      return directory_part(transaction, strings);
    case XS_READ:
      return read(transaction, strings);
    case XS_WRITE:
      return write(transaction, payload);
    case XS_MKDIR:
      return make_directory(transaction, strings);
    case XS_RM:
      return remove(transaction, strings);
    case XS_GET_PERMS:
      return get_permissions(transaction, strings);
    case XS_SET_PERMS:
      return set_permissions(transaction, strings);
    case XS_WATCH:
      return watch(strings);
    case XS_UNWATCH:
      return unwatch(strings);
    case XS_RESET_WATCHES:
      return reset_watches();
    case XS_TRANSACTION_START:
      return transaction_start(transaction);
    case XS_TRANSACTION_END:
      return transaction_end(transaction, strings);
    case XS_GET_DOMAIN_PATH:
      return domain_path(strings);
    case XS_IS_DOMAIN_INTRODUCED:
      return is_introduced(strings);
    case XS_CONTROL:
    case XS_INTRODUCE:
    case XS_RELEASE:
    case XS_RESUME:
    case XS_SET_TARGET:
      return {EACCES, {}};  // domain 0's
    default:
      return {ENOSYS, {}};
  }
}

XenstoreConnection::Reply XenstoreConnection::directory(u32 transaction, const Strings& strings) {
  if (strings.size() != 1) return {EINVAL, {}};
  std::vector<std::string> names;
  Reply reply;
  reply.error = store_.directory(domain_, transaction, absolute(strings[0]), names);
  for (const std::string& name : names) append(reply.payload, name);
  if (reply.payload.size() > XENSTORE_PAYLOAD_MAX) return {E2BIG, {}};
  return reply;
}

// A long directory by parts: generation, the names from an offset on, and an empty one behind the last.
XenstoreConnection::Reply XenstoreConnection::directory_part(u32 transaction, const Strings& strings) {
  std::size_t offset = 0;
  if (strings.size() != 2 || !parse(strings[1], offset)) return {EINVAL, {}};
  std::vector<std::string> names;
  Reply reply;
  reply.error = store_.directory(domain_, transaction, absolute(strings[0]), names);
  append(reply.payload, std::to_string(store_.generation()));
  std::size_t at = 0;
  for (const std::string& name : names) {
    if (at >= offset) {
      if (reply.payload.size() + name.size() + 2 > XENSTORE_PAYLOAD_MAX) return reply;
      append(reply.payload, name);
    }
    at += name.size() + 1;
  }
  append(reply.payload, "");
  return reply;
}

XenstoreConnection::Reply XenstoreConnection::read(u32 transaction, const Strings& strings) {
  if (strings.size() != 1) return {EINVAL, {}};
  Reply reply;
  reply.error = store_.read(domain_, transaction, absolute(strings[0]), reply.payload);
  return reply;
}

// The value is what follows the path, and needs no NUL.
XenstoreConnection::Reply XenstoreConnection::write(u32 transaction, std::string_view payload) {
  const std::size_t end = payload.find('\0');
  if (end == std::string_view::npos) return {EINVAL, {}};
  return {store_.write(domain_, transaction, absolute(payload.substr(0, end)),
                       std::string(payload.substr(end + 1))),
          kOk};
}

XenstoreConnection::Reply XenstoreConnection::make_directory(u32 transaction, const Strings& strings) {
  if (strings.size() != 1) return {EINVAL, {}};
  return {store_.make_directory(domain_, transaction, absolute(strings[0])), kOk};
}

XenstoreConnection::Reply XenstoreConnection::remove(u32 transaction, const Strings& strings) {
  if (strings.size() != 1) return {EINVAL, {}};
  return {store_.remove(domain_, transaction, absolute(strings[0])), kOk};
}

XenstoreConnection::Reply XenstoreConnection::get_permissions(u32 transaction, const Strings& strings) {
  if (strings.size() != 1) return {EINVAL, {}};
  Permissions permissions;
  Reply reply;
  reply.error = store_.get_permissions(domain_, transaction, absolute(strings[0]), permissions);
  for (const Permission& entry : permissions.entries()) append(reply.payload, entry.text());
  return reply;
}

XenstoreConnection::Reply XenstoreConnection::set_permissions(u32 transaction, const Strings& strings) {
  if (strings.size() < 2) return {EINVAL, {}};
  std::vector<Permission> entries;
  for (std::size_t i = 1; i < strings.size(); ++i) {
    const std::optional<Permission> entry = Permission::parse(strings[i]);
    if (!entry) return {EINVAL, {}};
    entries.push_back(*entry);
  }
  return {store_.set_permissions(domain_, transaction, absolute(strings[0]), Permissions(std::move(entries))),
          kOk};
}

XenstoreConnection::Reply XenstoreConnection::watch(const Strings& strings) {
  if (strings.size() != 2 || strings[1].size() > kMaxToken) return {EINVAL, {}};
  // Events that this store never has: no domain comes or goes.
  const bool special = strings[0] == "@introduceDomain" || strings[0] == "@releaseDomain";
  const std::string path = absolute(strings[0]);
  if (!special && !is_store_path(path)) return {EINVAL, {}};
  if (store_.watches_of(*this) >= kMaxWatches) return {ENOSPC, {}};
  const std::string token(strings[1]);
  if (const int error = store_.watch(domain_, path, token, *this); error != 0) return {error, {}};
  if (!special && !strings[0].starts_with('/')) relative_.insert({path, token});
  send_event(strings[0], token);  // the first comes at once
  return {0, kOk};
}

XenstoreConnection::Reply XenstoreConnection::unwatch(const Strings& strings) {
  if (strings.size() != 2) return {EINVAL, {}};
  const std::string path = absolute(strings[0]);
  relative_.erase({path, std::string(strings[1])});
  return {store_.unwatch(*this, path, strings[1]), kOk};
}

XenstoreConnection::Reply XenstoreConnection::reset_watches() {
  store_.unwatch_all(*this);
  store_.end_all(domain_);
  relative_.clear();
  return {0, kOk};
}

XenstoreConnection::Reply XenstoreConnection::transaction_start(u32 transaction) {
  if (transaction != 0) return {EBUSY, {}};
  u32 started = 0;
  Reply reply;
  reply.error = store_.start(domain_, started);
  append(reply.payload, std::to_string(started));
  return reply;
}

XenstoreConnection::Reply XenstoreConnection::transaction_end(u32 transaction, const Strings& strings) {
  if (strings.size() != 1 || (strings[0] != "T" && strings[0] != "F")) return {EINVAL, {}};
  return {store_.end(domain_, transaction, strings[0] == "T"), kOk};
}

XenstoreConnection::Reply XenstoreConnection::domain_path(const Strings& strings) {
  u16 domain = 0;
  if (strings.size() != 1 || !parse(strings[0], domain)) return {EINVAL, {}};
  Reply reply;
  append(reply.payload, "/local/domain/" + std::to_string(domain));
  return reply;
}

XenstoreConnection::Reply XenstoreConnection::is_introduced(const Strings& strings) {
  u16 domain = 0;
  if (strings.size() != 1 || !parse(strings[0], domain)) return {EINVAL, {}};
  Reply reply;
  append(reply.payload, domain == domain_ || domain == DOMID_SELF || domain == 0 ? "T" : "F");
  return reply;
}

}  // namespace ringshift::xen
