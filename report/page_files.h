// The page's template, style and script: report/page/, embedded when the program is built.
#pragma once

namespace ringshift {

extern const char* const kPageHtml;
extern const char* const kPageStyle;
extern const char* const kPageScript;

}  // namespace ringshift
