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

# Libraries are linked in: loading fourteen shared ones would take longer than weir needs to start, and what was built runs
# elsewhere too. Of the shared ones only C's own remain.
if(NOT WEIR_SANITIZE)
  add_link_options(-static-libstdc++ -static-libgcc)
endif()
set(Boost_USE_STATIC_LIBS ON)
set(ZLIB_USE_STATIC_LIBS ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(GTest REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
# weir_archive(VARIABLE NAME): the whole path of libNAME.a.
function(weir_archive variable name)
  find_library(${variable} NAMES lib${name}.a REQUIRED)
endfunction()
weir_archive(WEIR_SSL ssl)
weir_archive(WEIR_CRYPTO crypto)
weir_archive(WEIR_SQLITE sqlite3)
weir_archive(WEIR_YAML yaml-cpp)
weir_archive(WEIR_SODIUM sodium)
weir_archive(WEIR_LIBARCHIVE archive)
weir_archive(WEIR_LIBZSTD zstd)
weir_archive(WEIR_LIBDEFLATE deflate)
# Debian has fmt as a shared library only; base/fmt_library.cc is the rest of it.
add_library(weir_fmt INTERFACE)
get_target_property(fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
target_include_directories(weir_fmt SYSTEM INTERFACE ${fmt_include})
