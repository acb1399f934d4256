// The two bridges of the board: i440FX host bridge (0:0.0) and PIIX3 ISA bridge (0:1.0).
#pragma once

#include "devices/pci/pci_function.h"

namespace ringshift {

class HostBridge final : public PciFunction {
 public:
  HostBridge();
  std::string_view name() const override { return "i440fx"; }
};

class IsaBridge final : public PciFunction {
 public:
  IsaBridge();
  std::string_view name() const override { return "piix3"; }
};

}  // namespace ringshift
