; What is C's alone: a static name is the file's own.

(function_definition (storage_class_specifier "static") @hidden)
(declaration (storage_class_specifier "static") @hidden)
