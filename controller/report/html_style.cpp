// The page's style and script. The script draws nothing: the page is whole without it. It zooms,
// shows values under the pointer, filters the log, and says which rows it found.
#include "controller/report/html.hpp"

namespace firedrill::reporting {

const std::string_view kPageStyle = R"css(
:root{color-scheme:light dark;
--bg:#f5f4f0;--card:#fffefb;--ink:#1d2025;--soft:#5c636e;--faint:#969ca6;--rule:#e2dfd7;
--grid:#eeebe4;--fault:#d4622a;--window:rgba(212,98,42,.085);--sli:#2a62b8;--bad:#c4263a;
--band:rgba(196,38,58,.07);--area:rgba(196,38,58,.2);--alert:#7340b8;--people:#0b8069;
--good:#1b7f48;--warn:#9a6700;--tint:#f0ede5}
@media (prefers-color-scheme:dark){:root{
--bg:#121418;--card:#1a1d23;--ink:#eceae4;--soft:#a7adb8;--faint:#6f7682;--rule:#2d3139;
--grid:#24282f;--fault:#f0894f;--window:rgba(240,137,79,.1);--sli:#7db0ff;--bad:#ff6b7a;
--band:rgba(255,107,122,.09);--area:rgba(255,107,122,.26);--alert:#b993ff;--people:#45c8a9;
--good:#54c989;--warn:#e0b04c;--tint:#22262d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);-webkit-print-color-adjust:exact;
print-color-adjust:exact;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1256px;margin:0 auto;padding:28px 24px 64px}
.brand{display:flex;justify-content:space-between;gap:16px;color:var(--soft);font-size:13px;
border-bottom:1px solid var(--rule);padding-bottom:12px;margin-bottom:24px}
.brand b{color:var(--ink);letter-spacing:.02em}
header .top{display:flex;gap:22px;align-items:flex-start}
.stamp{flex:none;display:flex;align-items:center;gap:10px;padding:9px 18px 9px 12px;
border-radius:10px;color:#fff;font-weight:700;font-size:19px;letter-spacing:.07em;
text-transform:uppercase}
.stamp svg{width:26px;height:26px;fill:none;stroke:#fff;stroke-width:2.4;stroke-linecap:round;
stroke-linejoin:round}
.pass{background:#1b7f48}.fail{background:#c4263a}.inconclusive{background:#8a6100}
.aborted{background:#4c5563}.error{background:#8d1150}
h1{font-size:27px;line-height:1.22;margin:2px 0 0;letter-spacing:-.012em;font-weight:680}
.lead{font-size:17px;line-height:1.5;margin:16px 0 10px;max-width:64em}
.reasons{margin:0 0 14px;padding:0;list-style:none}
.reasons li{padding-left:20px;position:relative;color:var(--soft)}
.reasons li:before{content:"";position:absolute;left:4px;top:.62em;width:7px;height:2px;
background:var(--faint)}
.meta{display:flex;flex-wrap:wrap;gap:4px 26px;margin:0;font-size:13px;color:var(--soft)}
.meta dt{display:inline;color:var(--faint)}.meta dd{display:inline;margin:0 0 0 6px}
h2{font-size:13px;letter-spacing:.09em;text-transform:uppercase;color:var(--soft);
margin:34px 0 10px;font-weight:650}
.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:16px 18px}
.scroll{overflow-x:auto}
svg text{font-family:inherit}
.ladder{display:block;width:100%;min-width:760px}
.ladder .rail{stroke:var(--rule);stroke-width:3}.ladder .rail.on{stroke:var(--good)}
.ladder .node{fill:var(--card);stroke:var(--faint);stroke-width:2}
.ladder .on .node{fill:var(--good);stroke:var(--good)}
.ladder .tick{fill:none;stroke:var(--card);stroke-width:2.4;stroke-linecap:round;
stroke-linejoin:round}
.ladder .next .node{stroke:var(--bad);stroke-width:2.6}
.ladder .skip .node{stroke-dasharray:2.5 3}
.ladder .cross{stroke:var(--bad);stroke-width:2.4;stroke-linecap:round}
.ladder text{font-size:13px;text-anchor:middle;fill:var(--soft)}
.ladder .on text.n{fill:var(--ink);font-weight:620}.ladder .next text.n{fill:var(--bad);
font-weight:620}.ladder text.t{font-size:11.5px;fill:var(--faint)}
.scores{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;align-items:start}
.scores .card{padding:14px 16px}
.scores .wide{grid-column:1/-1}
.score-name{font-size:13px;color:var(--soft);text-transform:capitalize}
.big{font-size:34px;line-height:1.15;font-weight:680;letter-spacing:-.02em}
.big small{font-size:14px;color:var(--faint);font-weight:400;letter-spacing:0}
.meter{height:6px;border-radius:3px;background:var(--tint);margin:8px 0 6px;overflow:hidden}
.meter i{display:block;height:100%;border-radius:3px;background:var(--good)}
.meter i.mid{background:var(--warn)}.meter i.low{background:var(--bad)}
.none{color:var(--soft);font-size:13.5px;min-height:40px}
summary{cursor:pointer;font-size:13px;color:var(--soft)}summary:hover{color:var(--ink)}
.points{list-style:none;margin:10px 0 0;padding:0;font-size:13px;line-height:1.4}
.points li{padding:7px 0;border-top:1px solid var(--rule)}
.points b{float:right;font-weight:620;margin-left:8px}.points .lost b{color:var(--bad)}
.points span{color:var(--soft)}.points a,.log a{color:var(--sli);text-decoration:none}
.formula{font-size:12px;color:var(--faint);margin:8px 0 0}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:500;color:var(--faint);font-size:12.5px;padding:4px 14px 6px 0;
border-bottom:1px solid var(--rule);white-space:nowrap}
td{padding:7px 14px 7px 0;border-bottom:1px solid var(--grid);vertical-align:top}
tr:last-child td{border-bottom:0}td.r{white-space:nowrap}td.s{color:var(--soft)}
.ok,.no,.eh{white-space:nowrap;font-weight:600}.ok{color:var(--good)}.no{color:var(--bad)}
.eh{color:var(--warn)}
.log{font-size:12.5px}.log td{padding:3px 12px 3px 0}.log td.d{font-family:ui-monospace,
"DejaVu Sans Mono",monospace;font-size:11.5px;word-break:break-word;color:var(--soft)}
.log tr:target{background:var(--tint)}
input[type=search]{font:inherit;font-size:14px;width:100%;max-width:420px;margin:12px 0;
padding:6px 10px;border:1px solid var(--rule);border-radius:8px;background:var(--bg);
color:var(--ink)}
.note{font-size:12.5px;color:var(--faint);margin:8px 0 0}
.legend{display:flex;flex-wrap:wrap;gap:6px 20px;font-size:12.5px;color:var(--soft);margin:12px 0 0}
.legend svg{width:22px;height:14px;vertical-align:-2px;margin-right:6px;overflow:visible}
#timeline{display:block;width:100%;min-width:900px;user-select:none;touch-action:pan-y}
#timeline text{font-size:11.5px;fill:var(--ink)}
#timeline text.grp{font-size:11px;font-weight:650;letter-spacing:.06em;fill:var(--soft);
text-transform:uppercase}
#timeline text.name{font-size:12.5px;font-weight:560}#timeline text.sub{font-size:11px;
fill:var(--soft)}
#timeline text.ytick{font-size:10.5px;fill:var(--faint);text-anchor:end}
#timeline text.tick{font-size:11px;fill:var(--soft);text-anchor:middle}
.sep{stroke:var(--rule)}.grid{stroke:var(--grid)}.grid.zero{stroke:var(--fault);opacity:.55}
.window{fill:var(--window)}.drop{stroke:var(--faint);stroke-width:1;stroke-dasharray:1.5 3.5;
opacity:.75}
.flag circle{fill:var(--ink)}#timeline .flag text{font-weight:560;font-size:11.5px}
#timeline .flag text,.lbl text,.limit-text{paint-order:stroke;stroke:var(--card);
stroke-width:3.5px;stroke-linejoin:round}
.phase{fill:var(--tint);stroke:var(--card)}.ph-injecting,.ph-active{fill:var(--fault);
fill-opacity:.26}.ph-healing{fill:var(--bad);fill-opacity:.24}.ph-recovering{fill:var(--people);
fill-opacity:.2}
#timeline .strong text{font-weight:560;stroke:none}#timeline .quiet text{fill:var(--soft)}
#timeline .bad text{fill:var(--bad);font-weight:560}
.spread rect{fill:var(--sli)}.spread .mode{fill:var(--bad)}
.fault{fill:var(--fault)}.leak{fill:url(#hatch);stroke:var(--bad)}.hatch{fill:var(--bad)}
#timeline .on-fault text{fill:#fff;stroke:none;font-weight:560}
.end path{stroke:var(--fault);stroke-width:3;fill:none;stroke-linecap:round}
.end.cured circle{fill:var(--people);stroke:var(--card);stroke-width:2}
.end.cured path{stroke:#fff;stroke-width:2;stroke-linejoin:round}
.end.dirty path:first-child{fill:var(--bad);stroke:var(--card);stroke-width:1.5;
stroke-linejoin:round}.end.dirty path{stroke:#fff;stroke-width:1.8}
.z{fill:none;vector-effect:non-scaling-stroke}.sli{stroke:var(--sli);stroke-width:1.7;
stroke-linejoin:round}.breach-line{stroke:var(--bad);stroke-width:2}.breach-area{fill:var(--area)}
.breach-band{fill:var(--band)}.limit{stroke:var(--bad);stroke-dasharray:5 4;opacity:.75}
#timeline .limit-text{font-size:10.5px;fill:var(--bad)}
.noval path{stroke:var(--bad);stroke-width:1.7}
.alert{fill:var(--alert);stroke:var(--alert)}.alert.pending{fill:var(--card);stroke-width:1.5}
.alert.other{fill:var(--faint);stroke:var(--faint)}.alert.forbidden{fill:url(#hatch);
stroke:var(--bad);stroke-width:1.5}.alert.pending.other{fill:var(--card)}
.notified path{fill:var(--alert);stroke:var(--card);stroke-width:1}
.whisker{fill:var(--ink)}.window-line{fill:var(--alert)}.window-cap path{stroke:var(--alert);
stroke-width:1.6;fill:none}
.plan{fill:none;stroke:var(--people);stroke-dasharray:4 3}.overdue{fill:var(--bad)}
.step.machine path,.step.machine circle{fill:var(--people);stroke:var(--card);stroke-width:1.5}
.step.word circle{fill:var(--card);stroke:var(--people);stroke-width:2.6}
.step.bad.machine path{fill:var(--bad)}.step.bad.word circle{stroke:var(--bad)}
.pin path{fill:var(--warn);stroke:var(--card);stroke-width:1}.pin.halt path{fill:var(--bad)}
.pin.inject path{fill:var(--sli);stroke:var(--sli)}
.left-over{fill:var(--good);opacity:.6}.dim{fill:var(--ink)}.dim.bad{fill:var(--bad)}
.cap path{stroke:var(--ink);stroke-width:2;fill:none}
.cap.bad path{stroke:var(--bad)}.sure{fill:var(--ink);opacity:.2}
.goal path{stroke:var(--good);stroke-width:1.6;fill:var(--good)}.goal.bad path{stroke:var(--bad);
fill:var(--bad)}#timeline .num text{font-size:13px;font-weight:650}
#cursor{stroke:var(--soft);opacity:0}
#tip{position:fixed;z-index:9;pointer-events:none;display:none;max-width:380px;padding:8px 11px;
border-radius:8px;background:var(--ink);color:var(--card);font-size:12.5px;line-height:1.42;
white-space:pre-line;overflow-wrap:anywhere;box-shadow:0 4px 18px rgba(0,0,0,.22)}
@media (max-width:900px){.scores{grid-template-columns:repeat(2,1fr)}header .top{display:block}
.stamp{display:inline-flex;margin-bottom:10px}}
@media print{:root{--bg:#fff}main{padding:0;max-width:none}.log-section,.zoom-note{display:none}
.card{break-inside:avoid;border-color:#ddd}h2{break-after:avoid}#timeline{min-width:0}
@page{size:A4 landscape;margin:11mm}}
)css";

const std::string_view kPageScript = R"js(
(()=>{'use strict';
const $=(s,r)=>[...(r||document).querySelectorAll(s)],svg=document.getElementById('timeline');
document.body.dataset.rows=[...new Set($('[data-row]').map(e=>e.dataset.row))].join(' ');
const box=document.getElementById('filter');
if(box)box.addEventListener('input',()=>{const q=box.value.toLowerCase();
$('.log tbody tr').forEach(r=>{r.hidden=!r.textContent.toLowerCase().includes(q)})});
const reveal=()=>{const e=location.hash.length>1&&document.getElementById(location.hash.slice(1));
if(e&&e.closest('details')){e.closest('details').open=true;e.scrollIntoView({block:'center'})}};
addEventListener('hashchange',reveal);reveal();
if(!svg)return;
const d=svg.dataset,W=+d.plot,G=+d.gutter,T0=+d.from,SPAN=+d.span;
const tip=document.getElementById('tip'),cursor=document.getElementById('cursor');
let k=1,t=0;
const X=v=>v*k+t,ns='http://www.w3.org/2000/svg';
const fmt=s=>{const a=Math.abs(s),n=s<0?'\u2212':s>0?'+':'';
if(a<60)return n+(+a.toFixed(2))+(a?' s':'');
const w=Math.round(a),p=v=>String(v).padStart(2,'0');
return n+(w<3600?(w/60|0)+':'+p(w%60):(w/3600|0)+':'+p((w%3600)/60|0)+':'+p(w%60))};
function ticks(){const g=document.getElementById('ticks'),b=+d.bottom,span=SPAN/k;
let s=[.001,.002,.005,.01,.02,.05,.1,.2,.5,1,2,5,10,15,30,60,120,300,600,900,1800,3600,7200,21600]
.find(v=>span/v<=12)||86400;const a=T0-t/k/W*SPAN;g.textContent='';
const add=(n,o,x)=>{const e=document.createElementNS(ns,n);for(const i in o)e.setAttribute(i,o[i]);
if(x!==undefined)e.textContent=x;g.append(e)};
for(let v=Math.ceil(a/s)*s;v<=a+span;v+=s){const x=(v-a)/span*W,r=Math.round(v*1e4)/1e4;
add('line',{class:'grid'+(r?'':' zero'),x1:x,x2:x,y1:20,y2:b});
add('text',{class:'tick',x,y:15},fmt(r));add('text',{class:'tick',x,y:b+15},fmt(r))}}
function draw(){
$('[data-a]',svg).forEach(e=>{const a=X(+e.dataset.a),b=X(+e.dataset.b);e.setAttribute('x',a);
e.setAttribute('width',Math.max(+e.dataset.m||0,b-a))});
$('[data-x]',svg).forEach(e=>
e.setAttribute('transform','translate('+X(+e.dataset.x)+' '+e.dataset.y+')'));
$('.z',svg).forEach(e=>e.setAttribute('transform','matrix('+k+' 0 0 1 '+t+' 0)'));ticks()}
const at=e=>{const r=svg.getBoundingClientRect(),v=svg.viewBox.baseVal;
return (e.clientX-r.left)*v.width/r.width-G};
const curves=$('[data-p]',svg).map(e=>({n:e.dataset.n,u:e.dataset.u,
p:e.dataset.p.trim().split(' ').filter(Boolean).map(q=>q.split(','))}));
function hover(e){const x=at(e),hit=e.target.closest&&e.target.closest('[data-tip]');
const inside=x>=0&&x<=W;cursor.style.opacity=inside?.7:0;
if(!inside&&!hit){tip.style.display='none';return}
cursor.setAttribute('x1',x);cursor.setAttribute('x2',x);
const v=(x-t)/k,lines=[];if(hit)lines.push(hit.dataset.tip,'');
if(inside){lines.push('at '+fmt(T0+v/W*SPAN));
curves.forEach(c=>{let best=null;
c.p.forEach(q=>{if(!best||Math.abs(q[0]-v)<Math.abs(best[0]-v))best=q});
if(best&&Math.abs(best[0]-v)*k<30)lines.push(c.n+': '+best[1]+(c.u?' '+c.u:''))})}
tip.textContent=lines.join('\n');tip.style.display='block';
const w=tip.offsetWidth,h=tip.offsetHeight;
tip.style.left=Math.max(6,Math.min(innerWidth-w-8,e.clientX+16))+'px';
tip.style.top=Math.max(6,Math.min(innerHeight-h-8,e.clientY+18))+'px'}
let from=null,sel=null;
svg.addEventListener('pointerdown',e=>{const x=at(e);if(x<0||x>W||e.button)return;from=x;
sel=document.createElementNS(ns,'rect');sel.setAttribute('class','window');
sel.setAttribute('height',+d.bottom);svg.querySelector('g[transform]').append(sel)});
svg.addEventListener('pointermove',e=>{hover(e);if(from===null)return;const x=at(e);
sel.setAttribute('x',Math.min(x,from));sel.setAttribute('width',Math.abs(x-from))});
addEventListener('pointerup',e=>{if(from===null)return;const x=Math.max(0,Math.min(W,at(e)));
const a=Math.min(from,x),b=Math.max(from,x);sel.remove();from=null;if(b-a<6)return;
const f=W/(b-a),n=Math.min(k*f,4000);t=(t-a)*n/k;k=n;draw()});
svg.addEventListener('dblclick',()=>{k=1;t=0;draw()});
svg.addEventListener('pointerleave',()=>{tip.style.display='none';cursor.style.opacity=0});
})();
)js";

}  // namespace firedrill::reporting
