// Reading of symbol tables (System V ABI, chapter 4; Linux's nm output).
#include "machine/loaders/symbol_table.h"

#include <cxxabi.h>
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "machine/loaders/elf32.h"
#include "machine/loaders/input_file.h"

namespace ringshift {

namespace {

constexpr u64 kMostBytes = u64{64} << 20;  // of a symbol table, its names, or a System.map
constexpr std::size_t kLongestName = 4096;
constexpr const char* kWhat = "symbol file";

std::string plain_name(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  if (status != 0 || demangled == nullptr) return name;
  const std::string text = demangled.get();
  return text.substr(0, text.find('('));
}

// A terminal or a page will show it.
Symbol make_symbol(u32 address, u32 size, std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; }, '?');
  std::string plain = plain_name(name);
  return {address, size, std::move(name), std::move(plain)};
}

Result<std::vector<u8>> section_bytes(const InputFile& file, const Elf32_Shdr& section) {
  if (section.sh_size > kMostBytes || u64{section.sh_offset} + section.sh_size > file.size())
    return fail(ErrorKind::input_file, "{} {} is corrupt: a section reaches beyond the file's end",
                file.what(), file.path());
  std::vector<u8> bytes(section.sh_size);
  RS_TRY(file.read(section.sh_offset, bytes));
  return bytes;
}

Result<std::vector<Elf32_Shdr>> read_sections(const InputFile& file) {
  const auto header = RS_TRY(file.value<Elf32_Ehdr>(0));
  std::vector<Elf32_Shdr> sections;
  if (header.e_ident[EI_CLASS] != ELFCLASS32 || header.e_shentsize != sizeof(Elf32_Shdr)) return sections;
  for (u32 i = 0; i < header.e_shnum; ++i)
    sections.push_back(RS_TRY(file.value<Elf32_Shdr>(u64{header.e_shoff} + u64{i} * sizeof(Elf32_Shdr))));
  return sections;
}

// Functions, and labels of assembly in sections of code.
bool names_code(const Elf32_Sym& symbol, const std::vector<Elf32_Shdr>& sections) {
  const unsigned type = ELF32_ST_TYPE(symbol.st_info);
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= sections.size()) return false;
  if (type == STT_FUNC) return true;
  return type == STT_NOTYPE && (sections[symbol.st_shndx].sh_flags & SHF_EXECINSTR) != 0;
}

// A line of a System.map, if it names code.
std::optional<Symbol> parse_map_line(std::string_view line) {
  u32 address = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), address, 16);
  const std::string_view rest = line.substr(static_cast<std::size_t>(end - line.data()));
  if (error != std::errc{} || rest.size() < 4 || rest[0] != ' ' || rest[2] != ' ') return std::nullopt;
  if (std::string_view("tTwW").find(rest[1]) == std::string_view::npos) return std::nullopt;
  return make_symbol(address, 0, std::string(rest.substr(3, kLongestName)));
}

}  // namespace

// Of symbols at one address, the one that has a size counts, then the first by name; what lies inside a sized
// one is a label of it.
SymbolTable::SymbolTable(std::vector<Symbol> symbols) {
  std::sort(symbols.begin(), symbols.end(), [](const Symbol& a, const Symbol& b) {
    if (a.address != b.address) return a.address < b.address;
    if ((a.size == 0) != (b.size == 0)) return a.size != 0;
    return a.name < b.name;
  });
  u64 covered = 0;
  for (Symbol& symbol : symbols) {
    const bool repeats = !symbols_.empty() && symbols_.back().address == symbol.address;
    if (repeats || (symbol.size == 0 && symbol.address < covered)) continue;
    covered = std::max(covered, symbol.end());
    symbols_.push_back(std::move(symbol));
  }
  for (std::size_t i = 0; i < symbols_.size(); ++i)
    if (symbols_[i].size == 0)
      symbols_[i].size = (i + 1 < symbols_.size() ? symbols_[i + 1].address : ~u32{0}) - symbols_[i].address;
}

Result<SymbolTable> SymbolTable::of_elf(const std::string& path) {
  const InputFile file = RS_TRY(InputFile::open(path, kWhat));
  if (file.size() < sizeof(Elf32_Ehdr) || RS_TRY(file.value<u32>(0)) != kElfMagic) return SymbolTable();
  const auto sections = RS_TRY(read_sections(file));
  std::vector<Symbol> symbols;
  for (const Elf32_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB) continue;
    if (section.sh_link >= sections.size())
      return fail(ErrorKind::input_file, "{} {} is corrupt: its symbols have no names", kWhat, path);
    const auto table = RS_TRY(section_bytes(file, section));
    const auto names = RS_TRY(section_bytes(file, sections[section.sh_link]));
    for (std::size_t at = 0; at + sizeof(Elf32_Sym) <= table.size(); at += sizeof(Elf32_Sym)) {
      Elf32_Sym symbol;
      std::memcpy(&symbol, table.data() + at, sizeof symbol);
      if (!names_code(symbol, sections) || symbol.st_name >= names.size()) continue;
      const auto* const name = reinterpret_cast<const char*>(names.data()) + symbol.st_name;
      const std::size_t length = ::strnlen(name, std::min(kLongestName, names.size() - symbol.st_name));
      if (length != 0) symbols.push_back(make_symbol(symbol.st_value, symbol.st_size, {name, length}));
    }
  }
  return SymbolTable(std::move(symbols));
}

Result<SymbolTable> SymbolTable::of_system_map(const std::string& path) {
  const InputFile file = RS_TRY(InputFile::open(path, kWhat));
  if (file.size() > kMostBytes) return fail(ErrorKind::input_file, "{} {} is too large", kWhat, path);
  std::string text(file.size(), 0);
  RS_TRY(file.read(0, {reinterpret_cast<u8*>(text.data()), text.size()}));
  std::vector<Symbol> symbols;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = std::min(rest.find('\n'), rest.size());
    if (auto symbol = parse_map_line(rest.substr(0, length))) symbols.push_back(*std::move(symbol));
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  if (symbols.empty())
    return fail(ErrorKind::input_file, "{} {} has no lines like 'c0100000 T name'", kWhat, path);
  return SymbolTable(std::move(symbols));
}

Result<SymbolTable> SymbolTable::of_file(const std::string& path) {
  const InputFile file = RS_TRY(InputFile::open(path, kWhat));
  const bool elf = file.size() >= 4 && RS_TRY(file.value<u32>(0)) == kElfMagic;
  return elf ? of_elf(path) : of_system_map(path);
}

const Symbol* SymbolTable::covering(u32 address) const {
  const auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                      [](u32 at, const Symbol& symbol) { return at < symbol.address; });
  if (after == symbols_.begin()) return nullptr;
  const Symbol& symbol = *std::prev(after);
  return address < symbol.end() ? &symbol : nullptr;
}

const Symbol* SymbolTable::named(const std::string& name) const {
  const auto found = std::find_if(symbols_.begin(), symbols_.end(), [&](const Symbol& symbol) {
    return symbol.name == name || symbol.plain == name;
  });
  return found == symbols_.end() ? nullptr : &*found;
}

std::string SymbolTable::describe(u32 address) const {
  const Symbol* const symbol = covering(address);
  if (symbol == nullptr) return {};
  const u32 offset = address - symbol->address;
  return offset == 0 ? symbol->plain : fmt::format("{}+{:#x}", symbol->plain, offset);
}

}  // namespace ringshift
