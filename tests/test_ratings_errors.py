"""Bad ratings tables: each is told in one line that says what, where and what would be right."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgrpo_rec.datasets import RatingsError, read_ratings

LONG = "user,item,rating\nann,1,4\nbob,1,2\nbob,2,5\n"


def put(folder, content, name="table.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# what is wrong: (content, what the message must say)
ROWS = "a,x,1\na,y,2\nb,x,3\n"
BAD = {
    "zero bytes": ("", "the file is empty"),
    "blank": ("\n \n", "the file is empty"),
    "header only": ("user,item,rating\n", "no rows"),
    "one column": ("rating\n1\n2\n", "only one column; expected columns set apart by"),
    "no rating column": (
        "user,item,mood\na,x,1\n",
        r"columns are user, item, mood; expected also a rating column \(rating, score",
    ),
    "no user column": ("item,rating\nx,1\n", "a user column"),
    "two ratings": ("user,item,rating,score\na,x,1,2\n", "rating, score could each be the rating"),
    "same name twice": ("user,a,a\n1,2,3\n", "the header has 'a' more than once"),
    "long row": ("user,item,rating\n" + ROWS + "b,y,4,9,9\n", "1 unreadable .* line 5; expected 3"),
    "short rows": (
        "user,item,rating\na,x\n" + ROWS + "b,y\n\nc,y\n",
        "3 unreadable .* line 2, 6, 8; expected 3 fields as in the first line, found 2",
    ),
    "short quoted row": ('user,item,rating\n"a\nb",x,1\nb,y\n', "line 4; expected 3 fields"),
    "text": ("user,item,rating\n" + ROWS + "b,y,good\n", r"1 rating.* line 5 \('good'\); remove"),
    "nan": ("user,item,rating\n" + ROWS + "b,y,nan\nc,y,\n", r"line 5 \('nan'\), 6 \(''\)"),
    "infinite": ("user,item,rating\n\na,x,-inf\n" + ROWS, r"line 3 \('-inf'\)"),
    "vote among numbers": ("user,item,rating\n" + ROWS + "b,y,y\n", r"line 5 \('y'\)"),
    "no user": ("user,item,rating\n" + ROWS + ",y,1\n", "'user' is empty in 1 row.* line 5"),
    "one user": ("user,item,rating\na,x,1\na,y,2\n", r"only one user \(a\); at least two"),
    "one item": ("user,item,rating\na,x,1\nb,x,2\n", r"only one item \(x\); at least two"),
    "one row of a wide table": ("user,p,q\na,1,2\n", "only one user"),
    "constant": ("user,item,rating\na,x,3\nb,y,3\n", "all 2 ratings are 3"),
    "nothing rated": ("user,p,q\na,,\nb,?,\n", "not a single rating"),
    "infinite cell": ("user,p,q\na,1,2\nb,inf,\n", r"1 cell.* line 3, such as 'inf' in column 'p'"),
    "text cell": ("user,p,q\na,1,2\nb,2,\nc,bad,1\n", "line 4, such as 'bad' in column 'p'"),
    "votes beside numbers": ("user,p,q\na,y,2\nb,n,1\n", "y/n votes in p but numbers in q"),
    "id among items": ("p,q,r,ticket\n1,2,3,88123\n3,2,1,90210\n", "column ticket goes far beyond"),
    "many labels": ("user,p,s,t\na,1,no way,k\nb,2,ok,l\n", "2 columns hold labels.*: s, t; name"),
    "no items": ("user,party\na,red\nb,blue\n", "no ratings among the columns user, party"),
    "binary": (bytes(range(256)), "not a text file; expected CSV or TSV"),
    "zip": (b"PK\x03\x04" + bytes(40), "not a text file"),
    "cut gzip": (gzip.compress(LONG.encode() * 99)[:-12], "broken gzip"),
    "open quote": ('user,item,rating\na,x,"1' + "9" * 200_000 + "\n", "check the quotes"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_line(tmp_path, case):
    content, message = BAD[case]
    path = put(tmp_path, content)
    with pytest.raises(RatingsError, match=message) as raised:
        read_ratings(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_bad_places_and_names(tmp_path):
    with pytest.raises(RatingsError, match="no such file or folder"):
        read_ratings(tmp_path / "nowhere")
    with pytest.raises(RatingsError, match=r"named \.gz and its content is not"):
        read_ratings(put(tmp_path, LONG, "table.csv.gz"))
    with pytest.raises(RatingsError, match="no column 'who', 'stars'; the columns are user, item"):
        read_ratings(put(tmp_path, LONG), user="who", rating="stars")
    torn = "user,item,rating,team\na,x,1,red\na,y,2,blue\nb,x,3,red\n"
    with pytest.raises(RatingsError, match=r"1 user.* more than one 'team', such as a"):
        read_ratings(put(tmp_path, torn), segment="team")


@settings(max_examples=150, deadline=None)
@given(content=st.one_of(st.binary(max_size=80), st.text('ab,;:\t\n\r"1.9y?-', max_size=60)))
def test_any_garbage_is_a_table_or_a_ratings_error(tmp_path_factory, content):
    path = put(tmp_path_factory.getbasetemp(), content, "garbage.csv")
    try:
        table = read_ratings(path)
    except RatingsError:
        return
    assert np.isfinite(table.rating).all()
    assert table.n_users > 1
