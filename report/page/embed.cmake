# Makes a C++ source of the page's files: cmake -DOUT=FILE -DIN=FOLDER -P embed.cmake
file(READ ${IN}/compare.html Html)
file(READ ${IN}/compare.css Style)
file(READ ${IN}/compare.js Script)
set(text "// Made of report/page by embed.cmake.\n#include \"report/page_files.h\"\n\nnamespace ringshift {\n")
foreach(name Html Style Script)
  string(APPEND text "const char* const kPage${name} = R\"RSPAGE(${${name}})RSPAGE\";\n")
endforeach()
file(WRITE ${OUT} "${text}}\n")
