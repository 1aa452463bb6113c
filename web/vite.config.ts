import { defineConfig } from 'vite';

// One script, one style sheet, no hashes in their names: the server embeds them and sends an ETag.
export default defineConfig({
  base: '/',
  build: {
    outDir: 'dist',
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: {
      output: { entryFileNames: 'static/app.js', chunkFileNames: 'static/[name].js', assetFileNames: 'static/[name][extname]' },
    },
  },
});
