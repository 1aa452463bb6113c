import DOMPurify from 'dompurify';
import { marked } from 'marked';
import { ownPicture } from '../pictures';

// Texts come from jobs and from people outside and are not to be trusted: no scripts, styles or forms, and pictures only
// from weir itself or in the text, so that nobody elsewhere learns who looks.
const purify = DOMPurify(window);
purify.addHook('uponSanitizeElement', (node, data) => {
  if (data.tagName !== 'img' || !(node instanceof HTMLImageElement)) return;
  const own = ownPicture(node.getAttribute('src') ?? '', location.origin);
  if (own) node.setAttribute('src', own);
  else node.replaceWith(node.ownerDocument.createTextNode(node.getAttribute('alt') ?? ''));
});
purify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') node.setAttribute('rel', 'noreferrer noopener nofollow');
  // A picture without a description has none to read out.
  if (node.tagName === 'IMG' && !node.hasAttribute('alt')) node.setAttribute('alt', '');
});

export function Markdown({ text }: { text: string }) {
  const html = purify.sanitize(marked.parse(text, { async: false, gfm: true }), {
    FORBID_TAGS: ['style', 'form', 'input', 'button', 'textarea', 'select', 'iframe', 'video', 'audio', 'svg', 'math', 'dialog'],
    FORBID_ATTR: ['style', 'class', 'id', 'name', 'srcset', 'usemap', 'background'],
  });
  return <div class="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
