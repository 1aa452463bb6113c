# cmake -DOUTPUT=x.cc -DHEADER=serve/worker_files.h -DFUNCTION=weir::serve::worker_files -DROOT=folder
#       -DFILES="a.py;b.py" -P EmbedFiles.cmake
#
# Writes a source that gives the files' names (below ROOT) and texts, so that the executable needs no files beside it.
set(text "#include \"${HEADER}\"\n\nstd::span<const weir::serve::EmbeddedFile> ${FUNCTION}() {\n")
string(APPEND text "  static constexpr weir::serve::EmbeddedFile kFiles[] = {\n")
foreach(file IN LISTS FILES)
  file(RELATIVE_PATH name ${ROOT} ${file})
  file(READ ${file} content)
  string(APPEND text "      {\"${name}\", R\"embedded(${content})embedded\"},\n")
endforeach()
string(APPEND text "  };\n  return kFiles;\n}\n")
file(WRITE ${OUTPUT} "${text}")
