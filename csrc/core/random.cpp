#include "core/random.h"

namespace dt {

const Ref<Generator>& default_generator() {
    static const Ref<Generator> generator = make_ref<Generator>(0);
    return generator;
}

} // namespace dt
