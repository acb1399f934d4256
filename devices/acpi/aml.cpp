// The AML writer: encodings of terms and resource descriptors.
#include "devices/acpi/aml.h"

#include "base/check.h"

namespace ringshift::aml {

namespace {

constexpr u8 kZero = 0x00, kOne = 0x01, kName = 0x08, kByte = 0x0a, kWord = 0x0b, kDword = 0x0c,
             kScope = 0x10, kBuffer = 0x11, kPackage = 0x12, kExtended = 0x5b, kDevice = 0x82;

void put(Bytes& out, u32 value, unsigned width) {
  for (unsigned i = 0; i < width; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}

// PkgLength counts itself (20.2.4): one byte up to 63, else the low nibble and then whole bytes.
Bytes with_length(const Bytes& body) {
  Bytes out;
  const std::size_t size = body.size();
  if (size + 1 <= 0x3f) {
    out.push_back(static_cast<u8>(size + 1));
  } else {
    const unsigned more = size + 2 <= 0xfff ? 1 : 2;
    const std::size_t total = size + 1 + more;
    RS_CHECK(total <= 0xfffff);
    out.push_back(static_cast<u8>(more << 6 | (total & 0xf)));
    put(out, static_cast<u32>(total >> 4), more);
  }
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Bytes segment_bytes(std::string_view segment) {
  Bytes out(segment.begin(), segment.end());
  const std::size_t width = segment.starts_with('\\') ? 5 : 4;
  RS_CHECK(out.size() <= width);
  out.resize(width, '_');
  return out;
}

// An address-space descriptor of 16-bit numbers: range [first, last], fixed at both ends (6.4.3.5.3).
Bytes word_range(u8 type, u8 type_flags, u16 first, u16 last) {
  Bytes out{0x88, 0x0d, 0x00, type, 0x0c, type_flags};
  for (const u32 value : {u32{0}, u32{first}, u32{last}, u32{0}, u32{last} - first + 1}) put(out, value, 2);
  return out;
}

}  // namespace

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Bytes integer(u32 value) {
  if (value == 0) return {kZero};
  if (value == 1) return {kOne};
  Bytes out{value <= 0xff ? kByte : value <= 0xffff ? kWord : kDword};
  put(out, value, value <= 0xff ? 1 : value <= 0xffff ? 2 : 4);
  return out;
}

// Three letters of 5 bits, then four hexadecimal digits, big-endian.
Bytes eisa_id(std::string_view id) {
  RS_CHECK(id.size() == 7);
  u32 value = 0;
  for (unsigned i = 0; i < 3; ++i) value = value << 5 | (static_cast<u32>(id[i] - '@') & 0x1f);
  for (unsigned i = 3; i < 7; ++i) {
    const char c = id[i];
    value = value << 4 | static_cast<u32>(c <= '9' ? c - '0' : c - 'A' + 10);
  }
  Bytes out{kDword};
  for (int i = 3; i >= 0; --i) out.push_back(static_cast<u8>(value >> (8 * i)));
  return out;
}

Bytes package(const std::vector<Bytes>& elements) {
  RS_CHECK(elements.size() <= 255);
  Bytes body{static_cast<u8>(elements.size())};
  for (const Bytes& element : elements) body.insert(body.end(), element.begin(), element.end());
  return join({{kPackage}, with_length(body)});
}

Bytes package(std::initializer_list<Bytes> elements) { return package(std::vector<Bytes>(elements)); }

Bytes name(std::string_view segment, const Bytes& value) {
  return join({{kName}, segment_bytes(segment), value});
}

Bytes scope(std::string_view segment, const Bytes& body) {
  return join({{kScope}, with_length(join({segment_bytes(segment), body}))});
}

Bytes device(std::string_view segment, const Bytes& body) {
  return join({{kExtended, kDevice}, with_length(join({segment_bytes(segment), body}))});
}

Bytes resources(std::initializer_list<Bytes> descriptors) {
  const Bytes content = join({join(descriptors), {0x79, 0x00}});
  return join({{kBuffer}, with_length(join({integer(static_cast<u32>(content.size())), content}))});
}

Bytes io_ports(u16 first, u8 count) {
  Bytes out{0x47, 0x01};  // decodes 16 bits
  put(out, first, 2);
  put(out, first, 2);
  out.push_back(0x01);
  out.push_back(count);
  return out;
}

Bytes irq(unsigned number) {
  Bytes out{0x22};
  put(out, 1u << number, 2);
  return out;
}

Bytes bus_numbers(u16 first, u16 last) { return word_range(2, 0, first, last); }

Bytes io_window(u16 first, u16 last) { return word_range(1, 3, first, last); }

Bytes memory_window(u32 first, u32 last) {
  Bytes out{0x87, 0x17, 0x00, 0x00, 0x0c, 0x01};  // not cacheable, writable
  for (const u32 value : {u32{0}, first, last, u32{0}, last - first + 1}) put(out, value, 4);
  return out;
}

}  // namespace ringshift::aml
