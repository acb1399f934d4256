// As libxl makes them (tools/libs/light/libxl_create.c), as far as a guest looks at them.
#include "paravirt/domain_nodes.h"

namespace ringshift::xen {

void make_domain_nodes(Store& store, const DomainNodes& domain) {
  const std::string home = "/local/domain/" + std::to_string(domain.domain);
  const auto allow = [&](const std::string& path, std::vector<Permission> entries) {
    store.make_directory(kPrivilegedDomain, 0, path);
    store.set_permissions(kPrivilegedDomain, 0, path, Permissions(std::move(entries)));
  };
  const std::vector<Permission> readable = {{kPrivilegedDomain, 0}, {domain.domain, kStoreRead}};
  const std::vector<Permission> owned = {{domain.domain, 0}};
  // What is made in a directory gets its permissions.
  allow(home, readable);
  store.set(home + "/name", "guest");
  store.set(home + "/domid", std::to_string(domain.domain));
  const std::string kib = std::to_string(domain.memory_bytes >> 10);
  store.set(home + "/memory/target", kib);
  store.set(home + "/memory/static-max", kib);
  store.set(home + "/store/ring-ref", std::to_string(domain.store_ring));
  store.set(home + "/store/port", std::to_string(domain.store_port));
  store.set(home + "/console/type", "xenconsoled");
  store.set(home + "/console/ring-ref", std::to_string(domain.console_ring));
  store.set(home + "/console/port", std::to_string(domain.console_port));
  store.set(home + "/cpu/0/availability", "online");
  store.make_directory(kPrivilegedDomain, 0, home + "/device/vbd");
  store.make_directory(kPrivilegedDomain, 0, home + "/control");
  for (const char* own : {"/control/shutdown", "/data", "/attr", "/device/suspend"}) allow(home + own, owned);
}

}  // namespace ringshift::xen
