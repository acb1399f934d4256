// A xenstore client for test guests (io/xs_wire.h): a request, its reply, and the events that came before it.
#pragma once

#include "xen-runtime/xen.h"

#include <xen/io/xs_wire.h>

struct StoreReply {
  u32 type, transaction, length;
  char payload[XENSTORE_PAYLOAD_MAX + 1];  // with a NUL behind it
};

xenstore_domain_interface& store_page();
// payload: strings with a NUL behind each, `length` bytes of them. Events on the way are counted.
void store_ask(u32 type, u32 transaction, const char* payload, u32 length, StoreReply& reply);
u32 store_events();

bool equal(const char* a, const char* b);
u32 length_of(const char* text);
// Decimal; ~0 if it is none.
u32 number_in(const char* text);

// The reply's payload, or "" and the error's name.
const char* store_read(const char* path, StoreReply& reply);
bool store_write(const char* path, const char* value);
bool store_write_number(const char* path, u32 value);
// The error's name; "" if there was none.
const char* error_of(const StoreReply& reply);
