# One compiler configuration and one way to declare a folder, for the whole tree.

find_program(CCACHE ccache)
if(CCACHE)
    # Another clone of the same tree finds what this one compiled: CI runs in a fresh one.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_library(netlab_options INTERFACE)
target_include_directories(netlab_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(netlab_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -fstack-protector-strong)
# GCC 12 sees ghosts in what it has inlined of std::optional and std::vector (PR 105562 and its kin); the sanitizers see
# the real ones.
target_compile_options(netlab_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-stringop-overflow>)
target_compile_definitions(netlab_options INTERFACE
    NETLAB_VERSION="${PROJECT_VERSION}"
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION
    SPDLOG_COMPILED_LIB)
if(NETLAB_WERROR)
    target_compile_options(netlab_options INTERFACE -Werror)
endif()
if(NOT NETLAB_SANITIZE)
    target_compile_options(netlab_options INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
else()
    target_compile_options(netlab_options INTERFACE -fsanitize=${NETLAB_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(netlab_options INTERFACE -fsanitize=${NETLAB_SANITIZE})
    target_compile_definitions(netlab_options INTERFACE NETLAB_SANITIZED)
endif()

# netlab_folder(NAME [OBJECT] [USES folder…] [LINKS library…])
# The sources of the current folder as one target `netlab_NAME`. USES are the folders whose headers it may include
# (tests/include_direction holds the code against it); LINKS are libraries that stay inside.
function(netlab_folder name)
    cmake_parse_arguments(FOLDER "OBJECT" "" "USES;LINKS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.cpp)
    if(FOLDER_OBJECT)
        # Objects, not an archive: each file registers itself, and an archive would drop what nothing names.
        add_library(netlab_${name} OBJECT ${sources})
    else()
        add_library(netlab_${name} STATIC ${sources})
    endif()
    list(TRANSFORM FOLDER_USES PREPEND netlab_)
    target_link_libraries(netlab_${name} PUBLIC netlab_options ${FOLDER_USES} PRIVATE ${FOLDER_LINKS})
endfunction()
