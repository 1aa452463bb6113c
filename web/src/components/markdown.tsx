import DOMPurify from 'dompurify';
import { marked } from 'marked';

// Summaries come from jobs and are not to be trusted: no scripts, styles, forms or pictures from elsewhere.
export function Markdown({ text }: { text: string }) {
  const html = DOMPurify.sanitize(marked.parse(text, { async: false, gfm: true }), {
    FORBID_TAGS: ['style', 'form', 'input', 'iframe', 'img', 'video', 'audio', 'svg', 'math'],
    FORBID_ATTR: ['style', 'class', 'id'],
  });
  return <div class="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
