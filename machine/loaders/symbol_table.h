// SymbolTable: the guest's functions by name and address, from an ELF's .symtab or a Linux System.map.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace ringshift {

struct Symbol {
  u32 address;
  u32 size;  // 0: not known; it goes on to the next symbol
  std::string name;
  std::string plain;  // demangled, without parameters; or the same

  u64 end() const { return u64{address} + size; }
};

class SymbolTable {
 public:
  // A file that is no ELF32, or is stripped, gives an empty table; one that contradicts itself is an input
  // error.
  static Result<SymbolTable> of_elf(const std::string& path);
  // Lines of "c0100000 T name".
  static Result<SymbolTable> of_system_map(const std::string& path);
  // Whichever of the two it looks like.
  static Result<SymbolTable> of_file(const std::string& path);

  bool empty() const { return symbols_.empty(); }
  std::size_t size() const { return symbols_.size(); }
  // The function that the address lies in; null: none.
  const Symbol* covering(u32 address) const;
  // By its name, mangled or not; null: none.
  const Symbol* named(const std::string& name) const;
  // "isPrime+0x9", "isPrime", or "".
  std::string describe(u32 address) const;

  explicit SymbolTable(std::vector<Symbol> symbols = {});

 private:
  std::vector<Symbol> symbols_;  // by address; sizes filled in
};

}  // namespace ringshift
