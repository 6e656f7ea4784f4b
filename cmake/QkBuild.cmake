# Compiler settings and the one way libraries, programs and tests are declared.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # GNU17: cleanup attributes, Linux interfaces
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(QKMS_TESTS "Build the tests" ON)
set(QKMS_SANITIZE "none" CACHE STRING "none, asan (ASan and UBSan) or tsan")
set_property(CACHE QKMS_SANITIZE PROPERTY STRINGS none asan tsan)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

add_compile_definitions(_GNU_SOURCE QKMS_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
  -fstack-protector-strong -fno-strict-overflow -ffunction-sections -fPIC)
add_link_options(-Wl,-z,relro,-z,now)

if(QKMS_SANITIZE STREQUAL "asan")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer -O1 -g)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(QKMS_ASAN=1)
elseif(QKMS_SANITIZE STREQUAL "tsan")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -O1 -g)
  add_link_options(-fsanitize=thread)
  add_compile_definitions(QKMS_TSAN=1)
else()
  add_compile_options(-g)
  if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-gdwarf-4) # valgrind 3.19 (tests/ctime) cannot read clang's DWARF 5
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_definitions(_FORTIFY_SOURCE=2)
  endif()
endif()
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(nng CONFIG REQUIRED)
foreach(dep IN ITEMS libsodium libsecp256k1 msgpack sqlite3 jansson libpcre2-8 libseccomp inih libcurl)
  string(TOUPPER ${dep} var)
  pkg_check_modules(${var} REQUIRED IMPORTED_TARGET ${dep})
endforeach()

# qk_library(base LINK PkgConfig::X ...): the target qk_base from every .c below
# the folder's src/ (or the folder itself); include/ is public, the rest is not.
function(qk_library name)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE_LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.c)
  add_library(qk_${name} STATIC ${sources})
  target_include_directories(qk_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(qk_${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
endfunction()
