#!/bin/sh
# Checks that includes point one way:
#
#     ir/base <- ir <- frontend, passes, codegen <- runtime/api <- runtime/cli
#
# and that only their own folder sees LLVM, BLAS and CUDA.  Then plants a violation of each rule in a scratch tree
# and fails unless it is noticed.  `check_includes.sh FOLDER` checks that tree alone.
set -eu
cd "${1:-$(dirname "$0")/..}"

# check FOLDER ALLOWED: quoted includes of the files below FOLDER must match the pattern (awk, whole path).
# FOLDER/ means the files directly in it only.
check() {
    case $1 in
    */) depth='-maxdepth 1' ;;
    *) depth= ;;
    esac
    [ -d "$1" ] || return 0
    # shellcheck disable=SC2086
    find "$1" $depth -name '*.[chy]' -o $depth -name '*.re' -o $depth -name '*.def' | sort | xargs -r awk -v allowed="^($2)\$" '
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            split($0, part, "\"")
            if (part[2] !~ allowed) { printf "%s:%d: may not include \"%s\"\n", FILENAME, FNR, part[2] }
        }'
}

# only PATTERN FOLDERS: system includes that match appear below these folders only (awk pattern).
only() {
    find ir frontend passes codegen runtime grammar tests bench -name '*.[chy]' 2>/dev/null | sort |
        xargs -r awk -v header="$1" -v folders="^($2)/" '
        /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
            name = $0
            sub(/^[^<"]*[<"]/, "", name)
            sub(/[>"].*/, "", name)
            if (name ~ header && FILENAME !~ folders)
                printf "%s:%d: only %s may include <%s>\n", FILENAME, FNR, folders, name
        }'
}

violations() {
    check ir/base 'ir/base/.*'
    check ir/ 'ir/.*'
    check frontend '(frontend|ir|grammar)/.*'
    check grammar '(frontend|ir|grammar)/.*'
    check passes '(passes|ir)/.*'
    check codegen '(codegen|ir)/.*|runtime/rt/gmxrt\\.h'
    check runtime/rt 'runtime/rt/.*|ir/(base/)?[a-z]*\\.def'
    check runtime/cli 'runtime/(api|cli)/.*|gmx\\.h'
    only '^llvm-c/' 'codegen/llvm|tests/unit_llvm'
    only '^(cblas|lapacke|lapack)\\.h$' 'runtime/rt|tests|bench'
    only '^(cuda.*|nvrtc|cublas.*|cusolver.*|cusparse.*)\\.h$' 'codegen/cuda|runtime/rt'
}

found=$(violations)
if [ -n "$found" ]; then
    echo "$found"
    exit 1
fi
[ $# = 0 ] || exit 0

# Self-test.
here=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
# plant STATUS FILE INCLUDE: a tree with this one include gives this status.
plant() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/$(dirname "$2")"
    echo "#include $3" > "$work/tree/$2"
    status=0
    sh "$here/tests/check_includes.sh" "$work/tree" > /dev/null || status=$?
    if [ "$status" != "$1" ]; then
        echo "planted $3 in $2: status $status, expected $1"
        failures=$((failures + 1))
    fi
}
plant 1 ir/base/arena.c '"ir/ir.h"'
plant 0 ir/base/arena.c '"ir/base/arena.h"'
plant 1 ir/verify.c '"passes/pipeline.h"'
plant 1 frontend/check.c '"passes/pipeline.h"'
plant 1 passes/fuse.c '"frontend/ast.h"'
plant 1 passes/fuse.h '"codegen/backend.h"'
plant 0 passes/fuse.c '"ir/base/vec.h"'
plant 1 codegen/llvm/host.c '"runtime/rt/tensor.h"'
plant 0 codegen/llvm/host.c '"runtime/rt/gmxrt.h"'
plant 1 codegen/llvm/host.c '"runtime/rt/gmxrt_h"'
plant 1 runtime/rt/pool.c '"ir/ir.h"'
plant 0 runtime/rt/dtype.c '"ir/dtypes.def"'
plant 0 runtime/rt/context.c '"ir/base/diag.def"'
plant 1 runtime/rt/context.c '"ir/base/diag.h"'
plant 1 runtime/cli/gmx_main.c '"frontend/source.h"'
plant 0 runtime/api/session.c '"frontend/source.h"'
plant 1 passes/fuse.c '"arena.h"'
plant 1 codegen/cstyle.c '<llvm-c/Core.h>'
plant 1 runtime/api/session.c '<llvm-c/Core.h>'
plant 0 codegen/llvm/host.c '<llvm-c/Core.h>'
plant 1 codegen/llvm/host.c '<cblas.h>'
plant 0 runtime/rt/blas.c '<cblas.h>'
plant 1 runtime/api/session.c '<cuda_runtime.h>'
plant 0 codegen/cuda/nvrtc.c '<nvrtc.h>'
[ "$failures" = 0 ] || exit 1
echo "includes point one way; every planted violation was noticed"
