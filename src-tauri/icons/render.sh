#!/usr/bin/env bash
# Renders cachescope.svg to the sizes that the bundles want. Run after changing the drawing; the results are
# committed, so that nobody else needs rsvg-convert, ImageMagick and python3.
set -euo pipefail
cd "$(dirname "$0")"

draw() { rsvg-convert --width "$1" --height "$1" --output "$2" cachescope.svg; }

draw 32 32x32.png
draw 128 128x128.png
draw 256 128x128@2x.png
draw 512 icon.png

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for size in 16 24 32 48 64 128 256 512 1024; do draw "$size" "$scratch/$size.png"; done
convert "$scratch"/{16,24,32,48,64,256}.png icon.ico

# An icns file is a header and a list of (type, length, PNG); Apple names a type for each size.
python3 - "$scratch" <<'PYTHON'
import pathlib, struct, sys
sizes = [("icp4", 16), ("icp5", 32), ("icp6", 64), ("ic07", 128), ("ic08", 256), ("ic09", 512), ("ic10", 1024)]
body = b""
for kind, size in sizes:
    image = pathlib.Path(sys.argv[1], f"{size}.png").read_bytes()
    body += kind.encode() + struct.pack(">I", len(image) + 8) + image
pathlib.Path("icon.icns").write_bytes(b"icns" + struct.pack(">I", len(body) + 8) + body)
PYTHON
