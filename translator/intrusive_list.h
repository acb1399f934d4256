// ListHook: a place in an intrusive list whose head is a plain pointer; it leaves in constant time.
#pragma once

namespace ringshift::bt {

// T derives from ListHook<T, Tag>, once for each kind of list that it can be in. It must not move while
// it is in one.
template <class T, class Tag>
class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;

  T* next() const { return next_; }
  void enter(T*& head) {
    next_ = head;
    slot_ = &head;
    if (next_ != nullptr) hook_of(next_).slot_ = &next_;
    head = static_cast<T*>(this);
  }
  void leave() {
    if (slot_ == nullptr) return;
    *slot_ = next_;
    if (next_ != nullptr) hook_of(next_).slot_ = slot_;
    next_ = nullptr;
    slot_ = nullptr;
  }

 private:
  static ListHook& hook_of(T* element) { return *static_cast<ListHook*>(element); }
  T* next_ = nullptr;
  T** slot_ = nullptr;  // what points here: the head, or next_ of the one before
};

}  // namespace ringshift::bt
