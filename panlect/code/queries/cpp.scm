; What C++ adds to C: namespaces, classes, templates. The parent of `int Cart::total()` is its @receiver.

(namespace_definition name: (_)? @name body: (_) @body) @definition.module
(class_specifier
  name: [(type_identifier) @name (template_type name: (_) @name)] body: (_) @body) @definition.class
(struct_specifier name: (template_type name: (_) @name) body: (_) @body) @definition.class
(base_class_clause [
  (type_identifier) @base
  (template_type name: (_) @base)
  (qualified_identifier name: (type_identifier) @base)
  (qualified_identifier name: (template_type name: (_) @base))
  (qualified_identifier name: (qualified_identifier name: (type_identifier) @base))
  (qualified_identifier name: (qualified_identifier name: (template_type name: (_) @base)))
])
(template_declaration) @span
(alias_declaration name: (_) @name) @definition.type
(concept_definition name: (_) @name) @definition.type

; Members, and functions that return a reference.
(function_definition
  declarator: [
    (function_declarator declarator: [(field_identifier) (destructor_name) (operator_name)] @name)
    (reference_declarator (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name))
    (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) (operator_name)] @name))
    (operator_cast) @name
  ]
  [(compound_statement) (default_method_clause) (delete_method_clause) (try_statement)]? @body) @definition.function
(field_declaration_list (template_declaration (declaration) @definition.method))
(field_declaration_list (declaration) @definition.method)
(field_declaration
  declarator: [
    (function_declarator declarator: [(field_identifier) (operator_name)] @name)
    (reference_declarator (function_declarator declarator: [(field_identifier) (operator_name)] @name))
    (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) (operator_name)] @name))
    (pointer_declarator
      declarator: (pointer_declarator declarator: (function_declarator declarator: (field_identifier) @name)))
  ]) @definition.method
(field_declaration declarator: (reference_declarator (field_identifier) @name)) @definition.field
(declaration
  declarator: [
    (function_declarator declarator: [(destructor_name) (operator_name)] @name)
    (reference_declarator (function_declarator declarator: [(identifier) (operator_name)] @name))
    (operator_cast) @name
  ]) @definition.function @global

; `shop::Cart<T>::total` outside its class.
(function_definition
  declarator: (_ declarator: (qualified_identifier
    scope: (_) @receiver name: [(identifier) (destructor_name) (operator_name) (operator_cast)] @name))
  body: (_)? @body) @definition.method
(function_definition
  declarator: [
    (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier
      scope: (_) @receiver name: [(identifier) (operator_name)] @name)))
    (reference_declarator (function_declarator declarator: (qualified_identifier
      scope: (_) @receiver name: [(identifier) (operator_name)] @name)))
  ]
  body: (_)? @body) @definition.method
(function_definition
  declarator: [
    (function_declarator declarator: (qualified_identifier
      scope: (_) @receiver name: (qualified_identifier
        scope: (_) @receiver name: [(identifier) (destructor_name) (operator_name)] @name)))
    (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier
      scope: (_) @receiver name: (qualified_identifier
        scope: (_) @receiver name: [(identifier) (operator_name)] @name))))
    (reference_declarator (function_declarator declarator: (qualified_identifier
      scope: (_) @receiver name: (qualified_identifier
        scope: (_) @receiver name: [(identifier) (operator_name)] @name))))
    (function_declarator declarator: (qualified_identifier
      scope: (_) @receiver name: (qualified_identifier
        scope: (_) @receiver name: (qualified_identifier
          scope: (_) @receiver name: [(identifier) (destructor_name) (operator_name)] @name))))
    (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier
      scope: (_) @receiver name: (qualified_identifier
        scope: (_) @receiver name: (qualified_identifier scope: (_) @receiver name: (identifier) @name)))))
  ]
  body: (_)? @body) @definition.method

; Visibility: file-static names, anonymous namespaces, private sections.
(translation_unit (function_definition (storage_class_specifier "static") @hidden))
(translation_unit (declaration (storage_class_specifier "static") @hidden))
(namespace_definition body: (declaration_list (function_definition (storage_class_specifier "static") @hidden)))
(namespace_definition !name body: (declaration_list (_) @hidden))
(class_specifier body: (field_declaration_list "{" @closed))
(field_declaration_list (access_specifier "private") @closed)
(field_declaration_list (access_specifier ["public" "protected"]) @open)

(using_declaration (qualified_identifier scope: (_) @module name: (identifier) @imported)) @import
(using_declaration "namespace" @everything [(identifier) (qualified_identifier)] @module) @import
(namespace_alias_definition
  name: (_) @alias [(namespace_identifier) (nested_namespace_specifier)] @module) @import

; Uses of names.

(call_expression function: (qualified_identifier name: (identifier) @reference.call))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (identifier) @reference.call)))
(call_expression function: (template_function name: (identifier) @reference.call))
(call_expression function: (qualified_identifier name: (template_function name: (identifier) @reference.call)))
(call_expression function: (field_expression field: (template_method name: (field_identifier) @reference.call)))
(new_expression type: (type_identifier) @reference.call)
(new_expression type: (template_type name: (type_identifier) @reference.call))
(new_expression type: (qualified_identifier name: (type_identifier) @reference.call))
(field_initializer (field_identifier) @reference.attribute)
(qualified_identifier name: (identifier) @reference.name)
(attribute name: (identifier) @reference.name)
