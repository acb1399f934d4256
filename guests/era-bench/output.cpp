// Lines of results, made whole before they go to the console.
#include "era-bench/output.h"

#include "era-bench/ops.h"
#include "era-bench/sampler.h"
#include "runtime/arithmetic.h"

namespace {

bool g_failed;

class Line {
 public:
  Line& operator<<(const char* text) {
    for (; *text != 0; ++text) put(*text);
    return *this;
  }
  Line& decimal(u64 value) {
    const u64 rest = divide(value, 10);
    if (rest != 0) decimal(rest);
    put(static_cast<char>('0' + (value - rest * 10)));
    return *this;
  }
  Line& hundredths(u64 value) {
    const u64 whole = divide(value, 100);
    const u32 part = static_cast<u32>(value - whole * 100);
    decimal(whole) << ".";
    put(static_cast<char>('0' + part / 10));
    put(static_cast<char>('0' + part % 10));
    return *this;
  }
  Line& hex(u32 value) {
    for (u32 shift = 32; shift != 0; shift -= 4) put("0123456789abcdef"[value >> (shift - 4) & 15]);
    return *this;
  }
  void print() {
    text_[length_] = '\n';
    text_[length_ + 1] = 0;
    ops::write(text_);
  }

 private:
  void put(char c) {
    if (length_ + 2 < sizeof text_) text_[length_++] = c;
  }
  char text_[160];
  u32 length_ = 0;
};

u64 to_ns(u64 hundredths) { return divide(hundredths * 1000000, ops::tsc_khz()); }

void print_samples(const char* name, const char* unit, u64 minimum, u64 median, u32 count) {
  Line line;
  line << "era " << name << " " << unit << " ";
  line.hundredths(minimum) << " ";
  line.hundredths(median) << " ";
  line.decimal(count).print();
}

}  // namespace

void report(const char* name, Sampler& sampler) {
  const u64 minimum = sampler.minimum(), median = sampler.median();
  const u32 count = sampler.count();
  print_samples(name, "cycles", minimum, median, count);
  print_samples(name, "ns", to_ns(minimum), to_ns(median), count);
}

void report_total(const char* name, u64 cycles, u32 operations) {
  Line line;
  line << "era " << name << " total ";
  line.hundredths(divide(cycles * 100, ops::tsc_khz())) << " ";
  line.decimal(operations).print();
}

void report_checksum(const char* name, u32 value) {
  Line line;
  line << "era " << name << " checksum ";
  line.hex(value).print();
}

void report_text(const char* name, const char* kind, const char* text) {
  Line line;
  line << "era " << name << " " << kind << " " << text;
  line.print();
}

void report_fact(const char* name, u32 value) {
  Line line;
  line << "# " << name << " ";
  line.decimal(value).print();
}

void report_failure(const char* name, const char* reason) {
  g_failed = true;
  report_text(name, "failed", reason);
}

bool anything_failed() { return g_failed; }

void panic(const char* text) {
  report_failure("kernel", text);
  ops::end(false);
}

void panic_trap(u32 vector, u32 error, u32 eip, u32 linear) {
  Line line;
  line << "# trap ";
  line.decimal(vector) << " error ";
  line.hex(error) << " eip ";
  line.hex(eip) << " linear ";
  line.hex(linear).print();
  panic("an exception that no row wanted");
}
