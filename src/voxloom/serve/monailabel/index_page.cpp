#include "voxloom/serve/monailabel/index_page.h"

namespace voxloom::serve {

const char* const kIndexPage = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Voxloom annotation server</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); vertical-align: top }
code { background: var(--soft); padding: .1rem .3rem; border-radius: .2rem }
.bar { height: .6rem; background: var(--soft); border-radius: .3rem; overflow: hidden; max-width: 24rem }
.bar div { height: 100%; background: #2a7 } .note { opacity: .75 }
.method { font: 600 .8rem ui-monospace, monospace }
</style></head><body>
<h1 id="name">Voxloom annotation server</h1><p id="about" class="note">asking the server ...</p>
<div class="bar"><div id="done" style="width:0"></div></div><p id="counts" class="note"></p>
<h2>Connect</h2>
<table>
<tr><th>3D Slicer</th><td>Install the extension <i>MONAI Label</i>, open the module, enter
<code class="url"></code> as MONAI Label server, press the refresh button.</td></tr>
<tr><th>OHIF</th><td>MONAI Label panel, server <code class="url"></code>.</td></tr>
<tr><th>MITK</th><td>Segmentation &rarr; 3D tools &rarr; MONAI Label; needs https
(<code>voxloom serve --tls auto</code>).</td></tr>
<tr><th>Programs</th><td><a href="/openapi.json">/openapi.json</a>, <a href="/docs">routes</a>,
<a href="/metrics">/metrics</a>, <a href="/healthz">/healthz</a></td></tr>
</table>
<h2>Models</h2><table id="models"></table>
<h2>Next sample</h2><table id="strategies"></table><p id="more" class="note"></p>
<h2 id="routes-title">Routes</h2><table id="routes"></table>
<script>
const text = (tag, value) => { const e = document.createElement(tag); e.textContent = value; return e; };
const row = (...cells) => { const r = document.createElement('tr');
  cells.forEach(c => r.append(c instanceof Node ? c : text('td', c))); return r; };
document.querySelectorAll('.url').forEach(e => e.textContent = location.origin);
const say = message => document.getElementById('about').textContent = message;
fetch('/info/').then(r => r.ok ? r.json() : Promise.reject(r.status)).then(info => {
  document.getElementById('name').textContent = info.name; document.title = info.name;
  say(info.description);
  const d = info.datastore;
  document.getElementById('counts').textContent = d.completed + ' of ' + d.total + ' images have a final label' +
    Object.entries(d.label_tags).map(([t, n]) => '; ' + t + ': ' + n).join('');
  document.getElementById('done').style.width = (d.total ? 100 * d.completed / d.total : 0) + '%';
  for (const [name, m] of Object.entries(info.models))
    document.getElementById('models').append(row(text('th', name), m.description,
      Object.keys(m.labels).join(', ')));
  const s = Object.entries(info.strategies);
  s.slice(0, 12).forEach(([name, v]) =>
    document.getElementById('strategies').append(row(text('th', name), v.description)));
  if (s.length > 12) document.getElementById('more').textContent = 'and ' + (s.length - 12) + ' more';
}).catch(e => say(e === 401 ? 'this server asks for an account; programs send a token' :
  'the server did not answer: ' + e));
fetch('/openapi.json').then(r => r.json()).then(api => {
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, op] of Object.entries(methods)) {
      const m = text('td', method.toUpperCase()); m.className = 'method';
      document.getElementById('routes').append(row(m, path, op.summary || ''));
    }
  if (location.pathname === '/docs') document.getElementById('routes-title').scrollIntoView();
});
</script></body></html>
)html";

}  // namespace voxloom::serve
