// An attachment of a comment: its name is its digest, so that it is the same picture wherever it was uploaded.
const attachment = /^\/api\/v1\/repos\/[^/]+\/attachments\/[0-9a-f]{64}$/;

// The address by which the dashboard shows a picture: of a file that weir itself keeps, or the picture itself; null for
// all others. A job knows the server by another name than a browser may, so that an attachment's own address is taken
// from any.
export function ownPicture(source: string, origin: string): string | null {
  if (/^data:image\/(png|jpeg|gif|webp|svg\+xml);base64,/i.test(source)) return source;
  try {
    const url = new URL(source, `${origin}/`);
    if (url.origin === origin && url.pathname.startsWith('/api/')) return source;
    return /^https?:$/.test(url.protocol) && attachment.test(url.pathname) ? url.pathname : null;
  } catch {
    return null;
  }
}
