// See gloo_names/README.md.
#pragma once
