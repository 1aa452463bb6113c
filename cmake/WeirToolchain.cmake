# Compiler settings that every target shares, and the libraries from the system.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(WEIR_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")

option(WEIR_FUZZ "Build the fuzz targets of tests/fuzz" OFF)

find_program(WEIR_CCACHE ccache)
if(WEIR_CCACHE)
  # The options make a precompiled header cacheable.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${WEIR_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                    -Wno-gnu-statement-expression -Wno-missing-field-initializers -Wno-missing-designated-field-initializers
                    -fno-omit-frame-pointer "SHELL:-Xclang -fno-pch-timestamp")
add_link_options(-fuse-ld=lld)
if(WEIR_SANITIZE)
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
endif()

if(WEIR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # so that the fuzzer sees which branches an input takes
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(GTest REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
find_library(WEIR_LIBARCHIVE NAMES libarchive.a REQUIRED)
find_library(WEIR_LIBZSTD NAMES libzstd.a REQUIRED)
# Optional: without one of them weir-runner links the shared libraries.
set(WEIR_STATIC_RUNNER_LIBS)
foreach(name ssl crypto boost_json boost_container)
  find_library(WEIR_STATIC_${name} NAMES lib${name}.a)
  list(APPEND WEIR_STATIC_RUNNER_LIBS ${WEIR_STATIC_${name}})
endforeach()
if(WEIR_STATIC_RUNNER_LIBS MATCHES "NOTFOUND")
  set(WEIR_STATIC_RUNNER_LIBS)
endif()
