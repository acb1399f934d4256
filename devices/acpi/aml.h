// A small AML writer: functions that return the bytes of an AML term (ACPI 6.4 chapter 20) or of a resource
// descriptor (6.4), to be joined and nested.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace ringshift::aml {

using Bytes = std::vector<u8>;

Bytes join(std::initializer_list<Bytes> parts);

// Terms. A name is one segment of four characters, with a backslash before it for the root.
Bytes integer(u32 value);
// "PNP0A03" as the compressed number of an EISA ID.
Bytes eisa_id(std::string_view id);
Bytes package(std::initializer_list<Bytes> elements);
Bytes package(const std::vector<Bytes>& elements);
Bytes name(std::string_view segment, const Bytes& value);
Bytes scope(std::string_view segment, const Bytes& body);
Bytes device(std::string_view segment, const Bytes& body);
// A resource template: a buffer of descriptors, closed by an end tag.
Bytes resources(std::initializer_list<Bytes> descriptors);

// Resource descriptors.
Bytes io_ports(u16 first, u8 count);
Bytes irq(unsigned number);
Bytes bus_numbers(u16 first, u16 last);
Bytes io_window(u16 first, u16 last);
Bytes memory_window(u32 first, u32 last);

}  // namespace ringshift::aml
