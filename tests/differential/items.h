// Items from their bytes and fields.
#pragma once

#include <initializer_list>

#include "tests/differential/sequence.h"

namespace ringshift::differential {

inline Item raw(std::initializer_list<u8> bytes) { return Item{.bytes = bytes}; }

// The value's low `size` bytes.
inline Item& append(Item& item, u32 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) item.bytes.push_back(static_cast<u8>(value >> (8 * i)));
  return item;
}

inline Item with16(std::initializer_list<u8> bytes, u32 value) {
  Item item = raw(bytes);
  return append(item, value, 2);
}

inline Item with32(std::initializer_list<u8> bytes, u32 value) {
  Item item = raw(bytes);
  return append(item, value, 4);
}

inline Item branch(std::initializer_list<u8> bytes, Item::Fix fix, u8 offset, u32 target) {
  Item item = raw(bytes);
  item.fix = fix;
  item.fix_offset = offset;
  item.target = target;
  return item;
}

}  // namespace ringshift::differential
