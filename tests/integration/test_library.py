"""libweir as others build with it: installed, found by pkg-config, linked shared and static; and what it keeps to itself."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import weir

BUILD = pathlib.Path(weir.program()).resolve().parent
RULES = weir.ROOT / "rules"
CC = os.environ.get("CC", "cc")

pytestmark = pytest.mark.skipif(BUILD.name in ("address", "thread"), reason="a sanitizer's build is not for installing")


def sh(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What `make install DESTDIR=… PREFIX=/usr` makes."""
    folder = tmp_path_factory.mktemp("tree")
    # a make that runs these tests passes its flags on; this one is a make of its own
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    sh("make", "-s", "-C", weir.ROOT, f"BUILD={BUILD}" if BUILD != weir.ROOT / "build" else "BUILD=build", "install",
       f"DESTDIR={folder}", "PREFIX=/usr", env=environment)
    return folder


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("document") / "flags.json"
    result = weir.run("build", "--env", "production", weir.ROOT / "examples" / "acme-shop", "-o", path)
    assert result.code == 0, result
    return path


def pkg_config(tree, *arguments):
    folder = tree / "usr" / "lib" / "pkgconfig"
    environment = dict(os.environ, PKG_CONFIG_PATH=str(folder), PKG_CONFIG_SYSROOT_DIR=str(tree))
    return sh("pkg-config", *arguments, "weir", env=environment).split()


def build_embed(tree, output, *flags):
    sh(CC, "-std=c11", "-Wall", "-Wextra", "-Werror", weir.ROOT / "examples" / "embed" / "embed.c", "-o", output, *flags)
    return output


def ask(program, document, flag, context, tree=None):
    environment = dict(os.environ)
    if tree:
        environment["LD_LIBRARY_PATH"] = str(tree / "usr" / "lib")
    return subprocess.run([program, document, flag, context], capture_output=True, text=True, env=environment, check=False)


def check_answers(program, document, tree=None):
    done = ask(program, document, "checkout-v2", '{"targetingKey": "ann", "email": "ann@acme.example"}', tree)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('checkout-v2 = true\n\ncheckout-v2 = true (variant "on", TARGETING_MATCH)\n')
    assert '✓ rule 1 serves "on"\n' in done.stdout
    done = ask(program, document, "checkout-v2", "{}", tree)
    assert done.stdout.startswith("checkout-v2 = false\n\n")
    done = ask(program, document, "nowhere", "{}", tree)
    assert done.returncode == 1 and "FLAG_NOT_FOUND" in done.stdout
    done = ask(program, document, "checkout-v2", '{"a": tru}', tree)
    assert done.returncode == 2 and "line 1, column 7: expected a value" in done.stderr


def test_installing_puts_each_file_in_its_place(tree):
    files = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
    assert files >= {"usr/bin/weir", "usr/lib/libweir.a", "usr/lib/libweir.so.0", "usr/lib/libweir.so",
                     "usr/include/weir.h", "usr/lib/pkgconfig/weir.pc", "usr/share/man/man1/weir.1"}
    assert "prefix=/usr\n" in (tree / "usr/lib/pkgconfig/weir.pc").read_text()
    assert os.readlink(tree / "usr/lib/libweir.so") == "libweir.so.0"


def test_a_program_links_the_shared_library(tree, document, tmp_path):
    program = build_embed(tree, tmp_path / "embed", *pkg_config(tree, "--cflags", "--libs"))
    needed = sh("readelf", "-d", program)
    assert "libweir.so.0" in needed
    check_answers(program, document, tree)


def test_a_program_links_the_static_library(tree, document, tmp_path):
    static = tmp_path / "static"
    shutil.copytree(tree, static, symlinks=True)
    for path in (static / "usr" / "lib").glob("libweir.so*"):
        path.unlink()
    program = build_embed(static, tmp_path / "embed", *pkg_config(static, "--static", "--cflags", "--libs"))
    assert "libweir" not in sh("readelf", "-d", program)
    check_answers(program, document)


def test_the_example_is_short():
    lines = (weir.ROOT / "examples" / "embed" / "embed.c").read_text().splitlines()
    assert len(lines) < 60


def exported(*command):
    return {line.split()[-1] for line in sh(*command).splitlines() if len(line.split()) >= 3}


def declared():
    return set(re.findall(r"WEIR_API[^;(]*?\b(weir_\w+)\(", (RULES / "weir.h").read_text()))


def test_only_what_the_header_declares_is_exported(tree):
    library = tree / "usr" / "lib"
    assert len(declared()) >= 10
    assert exported("nm", "-D", "--defined-only", library / "libweir.so") == declared()
    assert exported("nm", "-g", "--defined-only", library / "libweir.a") == declared()


def test_the_header_stands_alone(tmp_path):
    """In C and in C++, without any other include."""
    source = tmp_path / "only.c"
    source.write_text("#include <weir.h>\nint main(void) { return weir_version()[0] == 0; }\n")
    sh(CC, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{RULES}", "-fsyntax-only", source)
    sh(CC, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{RULES}", "-fsyntax-only", source)
    if shutil.which("c++"):
        sh("c++", "-Wall", "-Wextra", "-Werror", f"-I{RULES}", "-fsyntax-only", "-x", "c++", source)


# --- what the rules keep away from ---------------------------------------------------------------------------------

LIBC = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h", "stdalign.h", "math.h",
        "float.h", "locale.h", "limits.h", "errno.h", "inttypes.h", "assert.h"}
LIBRARIES = {"yaml.h", "pcre2.h", "nettle/sha2.h", "xxhash.h", "lz4.h"}


def test_the_rules_include_nothing_of_the_world():
    sources = sorted(RULES.glob("*.[ch]"))
    assert len(sources) > 40
    for source in sources:
        for kind, name in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', source.read_text(), re.M):
            if kind == "<":
                assert name in LIBC | LIBRARIES, f"{source.name} includes <{name}>"
            else:
                assert (RULES / name).is_file() and "/" not in name, f"{source.name} includes \"{name}\""


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """The rules alone, in a folder without the rest of the tree."""
    folder = tmp_path_factory.mktemp("rules")
    shutil.copytree(RULES, folder / "rules")
    flags = sh("pkg-config", "--cflags", "yaml-0.1", "libpcre2-8", "nettle", "liblz4").split()
    made = [BUILD / "rules" / "schemas.o"]
    for source in sorted((folder / "rules").glob("*.c")):
        made.append(source.with_suffix(".o"))
        sh(CC, "-std=c11", "-D_GNU_SOURCE", '-DWEIR_VERSION="0"', "-O0", "-fPIC", *flags, "-c", source, "-o", made[-1])
    return made


def test_the_rules_link_alone(objects, tmp_path):
    """With nothing but the libraries of weir.pc, and no name left open."""
    libraries = sh("pkg-config", "--libs", "yaml-0.1", "libpcre2-8", "nettle", "liblz4").split()
    library = tmp_path / "alone.so"
    sh(CC, "-shared", "-Wl,-z,defs", "-o", library, *objects, *libraries, "-lm")
    needed = set(re.findall(r"\(NEEDED\).*\[([^\]]+)\]", sh("readelf", "-d", library)))
    families = {re.sub(r"(-[0-9.]+)?\.so.*", "", name) for name in needed}
    assert families <= {"libyaml", "libpcre2-8", "libpcre2", "libnettle", "liblz4", "libm", "libc", "ld-linux-x86",
                        "ld-linux"}, needed


FORBIDDEN = """open openat creat fopen fopen64 fdopen freopen open64 read write pread pwrite fread fwrite fputs puts putchar
printf fprintf vprintf vfprintf perror stat lstat fstat opendir readdir unlink rename mkdir socket connect bind listen accept
send recv getaddrinfo time gettimeofday clock clock_gettime localtime gmtime mktime nanosleep sleep usleep getenv setenv
setlocale fork execve system popen abort exit rand random srand getrandom pthread_create mmap syscall signal kill""".split()


def test_the_rules_do_nothing_in_the_world(objects):
    """No I/O, no clock, no environment: by the names that the objects ask the C library for."""
    wanted = {line.split()[-1] for line in sh("nm", "-u", *objects).splitlines() if line.strip() and not line.endswith(":")}
    assert "memcpy" in wanted or "malloc" in wanted
    assert not wanted & set(FORBIDDEN), wanted & set(FORBIDDEN)


def test_the_rules_have_no_writable_globals(objects):
    for path in objects:
        for line in sh("nm", path).splitlines():
            words = line.split()
            assert len(words) < 3 or words[1] not in "bBCdDsS" or words[2] == "schema_files" or \
                is_relocated_constant(path, words[2]), f"{path.name}: {words[2]} can be written to"


def is_relocated_constant(path, name):
    """Tables of pointers stand in .data.rel.ro, which nm calls data; the loader makes it read only."""
    for line in sh("objdump", "-t", path).splitlines():
        words = line.split()
        if words and words[-1] == name:
            return any(word.startswith(".data.rel.ro") for word in words)
    return False
