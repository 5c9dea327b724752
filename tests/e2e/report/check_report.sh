#!/usr/bin/env bash
# Opens a report in headless Chromium and fails on any script error, on a missing row, or when
# zooming does nothing.
#
# usage: check_report.sh FILE.html [ROW...]
#   ROW: the rows that must be drawn; all of a full run's unless given. A sham run has fewer.
set -euo pipefail

if [[ $# -lt 1 || ! -r $1 ]]; then
  echo "usage: check_report.sh FILE.html [ROW...]" >&2
  exit 2
fi
page=$1
shift
rows=("$@")
if [[ ${#rows[@]} -eq 0 ]]; then
  rows=(points phases faults sli alerts people intervals)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The copy gets a hand: it drags across the middle third of the plot, looks whether the bars moved,
# and puts the answer where --dump-dom shows it.
read -r -d '' hand <<'SCRIPT' || true
<script>
{const svg=document.getElementById('timeline'),r=svg.getBoundingClientRect();
const widths=()=>[...svg.querySelectorAll('[data-a]')].map(e=>+e.getAttribute('width'));
const same=(a,b)=>a.every((v,i)=>Math.abs(v-b[i])<.1);
const at=(type,share,target)=>target.dispatchEvent(new PointerEvent(type,{bubbles:true,button:0,
clientX:r.left+r.width*share,clientY:r.top+r.height/2}));
const before=widths();
at('pointerdown',.4,svg);at('pointermove',.5,svg);at('pointerup',.7,window);
document.body.dataset.zoomed=!same(widths(),before);
svg.dispatchEvent(new MouseEvent('dblclick',{bubbles:true}));
document.body.dataset.restored=same(widths(),before)}
</script>
SCRIPT
content=$(<"$page")
printf '%s' "${content%</body>*}$hand</body></html>" >"$work/page.html"

timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
  --disable-background-networking --disable-component-update --disable-sync \
  --user-data-dir="$work/profile" --window-size=1400,2200 --enable-logging=stderr --v=0 \
  --dump-dom "file://$work/page.html" >"$work/dom" 2>"$work/log" || {
  echo "chromium failed:" >&2
  tail -n 20 "$work/log" >&2
  exit 1
}

failed=0
if grep -F ':CONSOLE' "$work/log" >&2; then
  echo "check_report: the console was not silent" >&2
  failed=1
fi
body=$(grep -o '<body[^>]*>' "$work/dom" | head -n 1)
drawn=$(sed -n 's/.*data-rows="\([^"]*\)".*/\1/p' <<<"$body")
for row in "${rows[@]}"; do
  if [[ " $drawn " != *" $row "* ]]; then
    echo "check_report: row '$row' is missing; drawn: ${drawn:-none}" >&2
    failed=1
  fi
done
for answer in zoomed restored; do
  if [[ $body != *"data-$answer=\"true\""* ]]; then
    echo "check_report: zoom is broken: not $answer" >&2
    failed=1
  fi
done
exit "$failed"
