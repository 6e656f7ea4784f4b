/* What a coordinator says is shown, and never obeyed by the terminal. */
#include "qktest/qktest.h"
#include "plain.h"

QK_TEST(plain, control_characters_become_question_marks_and_the_rest_stays)
{
    char esc[] = "a\x1b]0;owned\x07"
                 "b\r\n\tc\x7f",
         c1[] = "x\xc2\x9b"
                "31m",
         fine[] = "Gr\xc3\xbc\xc3\x9f"
                  "e \xc2\xa0";
    char cut[] = "\xc2";
    qkms_plain(esc);
    cr_assert_str_eq(esc, "a?]0;owned?b???c?");
    qkms_plain(c1);
    cr_assert_str_eq(c1, "x??31m");
    qkms_plain(fine);
    cr_assert_str_eq(fine, "Gr\xc3\xbc\xc3\x9f"
                           "e \xc2\xa0");
    qkms_plain(cut);
    cr_assert_str_eq(cut, "\xc2");
}
