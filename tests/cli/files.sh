#!/bin/sh
# Programs that save: what lies on disk afterwards, byte for byte, and what is left after an error.
set -eu
build=${GMX_BUILD_DIR:-build}
gmx=$(cd "$build" && pwd)/gmx
files=$(cd "${GMX_SOURCE_DIR:-.}" && pwd)/tests/data/files
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"

fail() {
    echo "FAILED: $*"
    exit 1
}

# What other programs write of the same arrays (tests/data/make_data_files.py).
cat > save.gmx <<'PROGRAM'
let a = f32(arange(6.0).reshape(2, 3) - 2.5)
save("written.npz", a=a, α=i64(-3), none=zeros((0, 4), dtype=u8))
save(load("written.npz"), "again.npz")
let u = u8([0, 1, 2])
save(a.T, "t.csv")
save(load("written.npz").none, "none.tsv")
save(1, "one.safetensors")
save([0.1, 1.0, 1e30], "v.tsv")
save("values.npz", values=u, path=a, x=load("again.npz"))
print(load("values.npz").values, load("values.npz").x.a.shape, load("one.safetensors"), load("v.tsv"), load("none.tsv").shape)
let tensors = load("FILES/written.safetensors")
save(tensors, "written.safetensors")
save("flat.safetensors", a=tensors["a"], b=tensors["b\""], c=tensors.c)
print(load("t.csv"), load("flat.safetensors").c.d)
PROGRAM
sed -i "s,FILES,$files," save.gmx
"$gmx" save.gmx > out 2>&1 || fail "$(cat out)"
cat > expected <<'TEXT'
[0 1 2] (2, 3) 1 [1.e-01 1.e+00 1.e+30] (0,)
[[-2.5  0.5]
 [-1.5  1.5]
 [-0.5  2.5]] -2.5
TEXT
diff expected out || fail "printed something else"
cmp written.npz "$files/written.npz"
cmp again.npz "$files/written.npz"
cmp written.safetensors "$files/written.safetensors"
printf -- '-2.5,0.5\n-1.5,1.5\n-0.5,2.5\n' | cmp - t.csv
printf '0.1\n1.0\n1e+30\n' | cmp - v.tsv

# refused PROGRAM CODE TEXT: fails with them on standard error; the files stay as they are, none is added.
ls > before
refused() {
    echo "$1" > bad.gmx
    if "$gmx" bad.gmx > out 2> err; then fail "accepted: $1"; fi
    grep -qF "error[$2]" err && grep -qF -- "$3" err || fail "$1: $(cat err)"
    rm -f bad.gmx out err
    ls > after
    diff before after || fail "$1 changed the folder"
    cmp -s written.npz "$files/written.npz" || fail "$1 changed a file"
}
rm out expected
ls > before; touch after; ls > before
refused 'save(zeros((2, 2, 2)), "t.csv")' E0204 'at most 2 axes'
refused 'save("written.npz", a=[1, 2] @ [1, 2, 3])' E0203 'inner sizes'
refused 'save([1, 2] // 0, "written.npz")' E0303 'zero'
refused 'save(1, "no/such/folder/x.npz")' E0401 'cannot be written'
refused 'save("x.csv", a=1)' E0204 'named arrays are saved as .npz or .safetensors'
refused 'save(1, "x.txt")' E0403 'the end of the name says what a file is: .npy .npz .safetensors .csv .tsv'
refused 'save(1, "a.mtx.gz")' E0900 'not supported yet'
refused 'load("missing.npz")' E0401 "a relative path starts at the script's folder"
refused 'load("t.csv") + load("missing.csv")' E0401 'missing.csv'
refused 'let x = load("written.npz").b' E0110 'it is record(a: f32[2, 3], α: i64, none: u8[0, 4])'
printf '1,2\n3\n' > ragged.csv
ls > before
refused 'print(load("ragged.csv"))' E0402 'line 2 has 1 field'
refused 'print(load("ragged.csv"))' E0402 'equally many fields'
head -c 100 written.npz > cut.npz
ls > before
refused 'print(load("cut.npz"))' E0402 'write it or copy it again'

# A full device: the error says so, the old file stays.
if [ -w /dev/full ]; then
    ln -s /dev/full full.npz
    ls > before
    refused 'save(ones(10000), "full.npz")' E0401 'full.npz'
fi
# Links are followed, rights are kept.
cp written.npz target.npz
chmod 640 target.npz
ln -s target.npz link.npz
echo 'save(ones(3), "link.npz")' > link.gmx
"$gmx" link.gmx
[ -L link.npz ] || fail "the link is gone"
[ "$(stat -c %a target.npz)" = 640 ] || fail "the rights are gone"
[ "$("$gmx" -e 'load("target.npz")')" = '[1. 1. 1.]' ] || fail "the target is another"
echo "files are written whole or not at all"
