// Whether a picture's address leads to a file that weir itself keeps, or holds the picture.
export function isOwnPicture(source: string, origin: string): boolean {
  if (/^data:image\/(png|jpeg|gif|webp|svg\+xml);base64,/i.test(source)) return true;
  try {
    const url = new URL(source, `${origin}/`);
    return url.origin === origin && url.pathname.startsWith('/api/');
  } catch {
    return false;
  }
}
