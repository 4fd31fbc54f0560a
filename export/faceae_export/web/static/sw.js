// Keeps the page's files, so that it opens without a network. Online, files come from the server.

const FOLDER = new URL("./", self.location).pathname;
const PAGE = `faceae ${FOLDER} `; // an origin may have pages in several folders
const CACHE = `${PAGE}faceae-VERSION`;
const FILES = [];

self.addEventListener("install", (event) => {
  self.skipWaiting();
  // Not from the browser's own cache, which may hold files of an older export.
  const requests = ["./", ...FILES].map((name) => new Request(name, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const isOurs = url.origin === self.location.origin && isKept(url);
  if (event.request.method === "GET" && isOurs) event.respondWith(answer(event.request));
});

function isKept(url) {
  const name = url.pathname.slice(FOLDER.length);
  return url.pathname.startsWith(FOLDER) && (name === "" || FILES.includes(name));
}

async function answer(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

async function dropOthers() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PAGE) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}
