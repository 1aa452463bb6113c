#include "app/version.h"

namespace weir::app {

std::string_view version() {
  return WEIR_VERSION;
}

}  // namespace weir::app
