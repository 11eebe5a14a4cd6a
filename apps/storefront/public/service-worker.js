// Keeps the page for days without a network. The page itself says what it needs, once it runs: what is listed is kept, and
// what an older version left is dropped.

const CACHE = "storefront";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("message", (event) => event.waitUntil(keep(event.data).then((kept) => event.ports[0].postMessage(kept))));

/** Whether all of it is here now. */
async function keep(urls) {
  const cache = await caches.open(CACHE);
  const wanted = new Set(urls);
  try {
    await Promise.all(urls.map(async (url) => ((await cache.match(url)) && isHashed(url) ? undefined : cache.add(url))));
  } catch {
    // No network: what was kept before stays.
    return (await Promise.all(urls.map((url) => cache.match(url)))).every(Boolean);
  }
  for (const { url } of await cache.keys()) if (!wanted.has(url)) await cache.delete(url);
  return true;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(self.registration.scope)) event.respondWith(answer(request));
});

/** Files whose names change with their contents from here first, all others from the network first. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  // One page, whatever its query says; and servers that answer any origin say "Vary: Origin", which pages send with some requests only.
  const kept = await cache.match(request, { ignoreSearch: request.mode === "navigate", ignoreVary: true });
  if (kept && isHashed(request.url)) return kept;
  return fetch(request).catch(() => kept ?? Response.error());
}

/** Vite puts these into one folder. */
function isHashed(url) {
  return url.startsWith(`${self.registration.scope}assets/`);
}
