#pragma once

namespace dt::autograd {

bool grad_enabled(); // of this thread; on by default
void set_grad_enabled(bool on);

class GradMode {
  public:
    explicit GradMode(bool on) : saved_(grad_enabled()) { set_grad_enabled(on); }
    ~GradMode() { set_grad_enabled(saved_); }
    GradMode(const GradMode&) = delete;

  private:
    bool saved_;
};

} // namespace dt::autograd
